"""The beginning of a run: what happens before JAX is imported, and shops that another process makes."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import nullcontext

import chex
import pytest

from jaxshop.support.errors import ShopError
from jaxshop.training.config import PoolConfig
from jaxshop.training.problem import here as in_this_process
from jaxshop.training.shop_process import ShopProcess
from jaxshop.training.shops import SELECTION, SMALL, ShopOrder, make_shops, outline_shops
from jaxshop.training.start import start

ORDERS = [ShopOrder(PoolConfig(3, 6, 8), SMALL, 5, 4), ShopOrder(PoolConfig(2, 8, 9), SELECTION, 5, 16)]


def ordered(workshop) -> list:
    """The outlines of two orders and their shops, all to be waited for."""
    return [workshop(make, order) for make in (outline_shops, make_shops) for order in ORDERS]


def all_made(workshop) -> list:
    """The same, after all have been ordered."""
    return [result() for result in ordered(workshop)]


def assert_same(ours: list, theirs: list) -> None:
    """Shapes, outlines and arrays are equal."""
    assert [outline.shape for outline in ours[:2]] == [outline.shape for outline in theirs[:2]]
    for one, other, made in zip(ours[:2], theirs[:2], theirs[2:], strict=True):
        chex.assert_trees_all_equal_shapes_and_dtypes(one.shops, other.shops, made)
    chex.assert_trees_all_equal(ours[2:], theirs[2:])


@pytest.fixture(scope="module")
def here() -> list:
    """What this process makes of the orders."""
    return all_made(in_this_process)


def test_another_process_makes_the_same_shops(here):
    """Shows the shapes, outlines and arrays of two orders, in turn, and that they came through the pipe."""
    with ShopProcess() as process, pytest.MonkeyPatch.context() as patch:
        results = ordered(process)
        patch.setattr("jaxshop.training.shops.generate_shop", None)
        assert_same(here, [result() for result in results])
    assert all(outline.shops.lots.first.shape[1] == outline.shape.lots for outline in here[:2])


@pytest.mark.parametrize("received", [0, 1, 3])
def test_what_a_lost_process_leaves_undone_is_made_here(here, received):
    """Shows the same shops whether the process is killed before its first reply or between two of them."""
    with ShopProcess() as process:
        results = ordered(process)
        got = [result() for result in results[:received]]
        process.process.kill()
        process.process.wait()
        got += [result() for result in results[received:]]
    assert_same(here, got)


def test_the_process_ends_when_its_owner_is_killed():
    """Shows that nothing is left of a run that had no chance to clean up, though hours of work were ordered."""
    script = (
        "import os, signal\n"
        "from jaxshop.training.config import PoolConfig\n"
        "from jaxshop.training.shop_process import ShopProcess\n"
        "from jaxshop.training.shops import ShopOrder, make_shops\n"
        "process = ShopProcess()\n"
        "process(make_shops, ShopOrder(PoolConfig(10**6, 20, 50), 1, 0, 4))\n"
        "print(process.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    owner = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    give_up = time.monotonic() + 60
    while alive(int(owner.stdout)):
        assert time.monotonic() < give_up
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs: where nobody waits for it, one that has ended stays known as a zombie."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize(("cores", "jobs", "helped"), [(2, 5000, True), (1, 5000, False), (2, 40, False)])
def test_a_process_is_started_where_it_pays(monkeypatch, cores, jobs, helped):
    """Shows that one core, or a few shops, do without."""
    given = []
    monkeypatch.setattr("jaxshop.training.start.usable_cores", lambda: cores)
    monkeypatch.setattr("jaxshop.training.start.ShopProcess", lambda: nullcontext("process"))
    monkeypatch.setattr("jaxshop.training.launch.launch", lambda *arguments: given.append(arguments[3]) or ({}, 0))
    assert start(None, None, ["pool.count=1", f"pool.jobs={jobs}"], console=None) == ({}, 0)
    assert given == ["process" if helped else None]


def test_a_refusal_ends_the_process(monkeypatch):
    """Shows that nothing goes on making shops for a run that was refused before it came to them."""
    started = []

    class Watched(ShopProcess):
        def __init__(self):
            super().__init__()
            started.append(self.process)

    def refuse(*arguments):
        assert started[0].poll() is None
        raise ShopError("refused")

    monkeypatch.setattr("jaxshop.training.start.usable_cores", lambda: 2)
    monkeypatch.setattr("jaxshop.training.start.ShopProcess", Watched)
    monkeypatch.setattr("jaxshop.training.launch.launch", refuse)
    with pytest.raises(ShopError, match="refused"):
        start(None, None, [], console=None)
    assert started[0].poll() is not None


def test_a_process_that_cannot_be_started_is_done_without(monkeypatch):
    """Shows a run on a machine that allows no more processes."""

    def refuse(*arguments, **options):
        raise BlockingIOError("no more processes")

    given = []
    monkeypatch.setattr("jaxshop.training.start.usable_cores", lambda: 2)
    monkeypatch.setattr("subprocess.Popen", refuse)
    monkeypatch.setattr("jaxshop.training.launch.launch", lambda *arguments: given.append(arguments[3]) or ({}, 0))
    assert start(None, None, [], console=None) == ({}, 0)
    assert given == [None]


@pytest.mark.parametrize("word", ["INFO: loaded\n", "coverage\n"])
def test_a_word_on_stdout_spoils_no_shop(here, tmp_path, monkeypatch, word):
    """Shows the right shops though something that Python loads there (a `sitecustomize`) writes between the replies."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.stdout.write({word!r})\nsys.stdout.flush()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with ShopProcess() as process:
        assert_same(here, all_made(process))


def test_the_process_runs_what_this_one_runs(here, tmp_path, monkeypatch):
    """Shows that modules in the folder where train.py is called are not taken for ours."""
    for name in ("jaxshop", "queue"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    test_another_process_makes_the_same_shops(here)


def test_a_bad_config_is_refused_before_jax_is_imported():
    """Shows that a slip in an override costs no seconds of imports."""
    script = (
        "import sys; from jaxshop.cli.main import train_main; print(train_main(['pol.count=3']), 'jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "2 False\n", done.stderr
    assert "did you mean pool" in done.stderr


def test_an_error_in_another_process_is_told_by_this_one(capfd):
    """Shows that what cannot be made is refused here, with the reason, and that the process says nothing of its own."""
    with ShopProcess() as process, pytest.raises(ShopError, match="cannot add up"):
        process(make_shops, ShopOrder(PoolConfig(1, 0, 8), SMALL, 5, 4))()
    assert capfd.readouterr() == ("", "")
