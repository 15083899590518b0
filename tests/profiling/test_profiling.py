"""The profile's counts and comparisons, on sizes that take moments."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from jaxshop.cli.main import main
from jaxshop.env import environments_last, make
from jaxshop.profiling import Cost, Roofline, cost_of
from jaxshop.profiling.history import add_line, earlier_line, line_of
from jaxshop.profiling.measure import measure, race
from jaxshop.profiling.report import against_table, draw_sweep, limit_table, limits_line, phase_table, sweep_table
from jaxshop.profiling.sweep import job_shop
from jaxshop.profiling.versus import versus_numba
from jaxshop.profiling.workloads import pick, random_rollout
from jaxshop.support.errors import ShopError
from tests.shops import ft06, random_shop


def test_cost_counts_every_trip_of_nested_scans():
    """Shows that 7 x 5 products inside two scans cost 35 times the known product, and not once."""

    def inner(carry, _):
        return carry @ weights, None

    def outer(carry, _):
        return jax.lax.scan(inner, carry, None, length=5)[0], None

    weights = jnp.ones((64, 64))
    cost = cost_of(lambda x: jax.lax.scan(outer, x, None, length=7)[0], jnp.ones((32, 64)))
    assert cost.flop == pytest.approx(35 * 2 * 32 * 64 * 64, rel=1e-3)
    assert cost.bytes > 35 * 4 * (32 * 64 + 64 * 64)


def test_cost_counts_the_dearest_branch():
    """Shows that a switch inside a scan costs its largest product at every trip, whichever branches run."""

    def step(carry, i):
        branches = [lambda x, n=n: (x[:, :n] @ jnp.ones((n, n))).sum() for n in (16, 64)]
        return carry + jax.lax.switch(i, branches, x), None

    x = jnp.ones((32, 64))
    cost = cost_of(lambda: jax.lax.scan(step, 0.0, jnp.zeros(9, jnp.int32))[0])
    assert cost.flop == pytest.approx(9 * 2 * 32 * 64 * 64, rel=0.05)


def test_flop_are_counted_where_the_compiler_tells_none(monkeypatch):
    """Shows the count of products, elements, reductions, sorts and branches, whatever XLA says of its kernels."""
    monkeypatch.setattr(jax.stages.Compiled, "cost_analysis", lambda self: {})

    def step(x, i):
        y = jax.nn.relu(x @ jnp.ones((8, 16)))  # 2 x 4 x 8 x 16 + 4 x 16
        y = jax.lax.cond(i > 0, lambda z: z + 1.0, lambda z: z, y)  # 1 and 64, or 1 and 0
        return jnp.sort(y, axis=1).sum()  # 64 x 4, and 64

    cost = cost_of(step, jnp.ones((4, 8)), jnp.int32(1))
    assert cost.flop == 2 * 4 * 8 * 16 + 64 + 1 + 64 + 64 * 4 + 64
    assert (cost.least_flop, cost.bytes) == (cost.flop - 64, 0.0)


def test_roofline_names_the_side_that_binds():
    """Shows that the least time is that of the slower side, with the bandwidth of arrays as large as the program's."""
    roofline = Roofline(flop_per_second=100.0, copies=((64, 50.0), (256, 10.0)))
    assert (roofline.binding(Cost(1000, 10), 99), roofline.least_seconds(Cost(1000, 10, 900), 10, 99)) == (
        "arithmetic",
        9.0,
    )
    assert (roofline.binding(Cost(100, 100), 99), roofline.least_seconds(Cost(100, 100, 100), 50, 99)) == (
        "memory",
        5.0,
    )
    assert roofline.traffic_seconds(Cost(100, 100), 99) == 10.0
    assert [roofline.bandwidth(held) for held in (64, 65, 9999)] == [50.0, 10.0, 10.0]


def test_measure_does_not_run_what_memory_cannot_hold():
    """Shows that a program over the limit is compiled, weighed and left alone, and one under it is run."""
    x = jnp.ones(1024)
    assert measure(jnp.negative, x, at_most=100) is None
    measured = measure(jnp.negative, x)
    assert measured.peak_bytes == 2 * 4096
    assert np.array_equal(measured.result, -np.ones(1024))


def test_race_runs_by_turns_and_keeps_results():
    """Shows that every program is run and its own result and time come back in order."""
    x = jnp.ones(8)
    (quick, one), (slow, two) = race([(jnp.negative, (x,)), (lambda x: x * 3, (x,))], rounds=2)
    assert np.array_equal(one, -np.ones(8))
    assert np.array_equal(two, 3 * np.ones(8))
    assert min(quick, slow) > 0


@pytest.mark.parametrize("count", [1, 2, 20, 513])
def test_sampler_is_legal_and_even(count):
    """Shows that the hashed sampler draws only legal actions, each about equally often."""
    rng = np.random.default_rng(count)
    mask = rng.random(count) < 0.3
    mask[rng.integers(count)] = True
    words = jnp.asarray(rng.integers(0, 2**32, 8000, dtype=np.uint32))
    drawn = np.bincount(jax.vmap(pick, (0, None))(words, jnp.asarray(mask)), minlength=count)
    assert drawn.sum() == 8000
    assert not drawn[~mask].any()
    expected = 8000 / mask.sum()
    # Five standard deviations of a multinomial count.
    assert np.abs(drawn[mask] - expected).max() <= 5 * np.sqrt(expected) + 1


@pytest.mark.usefixtures("ranks_meet")
def test_stacked_shops_play_as_each_alone():
    """Shows that a rollout over different shops of one shape ends as rollouts of the same shop in that place do."""
    env, params = make([job_shop(4, 3, 3, 9, seed=s) for s in (0, 1)])
    key = jax.random.key(0)
    mixed = jax.jit(random_rollout(env, 2, 12, stacked=True))(key, environments_last(params))
    playing = jax.jit(random_rollout(env, 2, 12))
    for i in range(2):
        alone = playing(key, jax.tree.map(lambda x, i=i: x[i], params))
        one, other = (jax.tree.map(lambda x, i=i: x[..., i], mixed), jax.tree.map(lambda x, i=i: x[i], alone))
        # Float sums may differ in the last bit, as XLA fuses the two programs differently; integers may not.
        chex.assert_trees_all_close(one, other, rtol=1e-6)
        whole = [(x, y) for x, y in zip(one, other, strict=True) if x.dtype != jnp.float32]
        assert all(np.array_equal(x, y) for x, y in whole)


@pytest.mark.thorough
def test_numba_loop_makes_the_same_decisions():
    """Shows the environment and a loop written by hand agree on every makespan, with flexible machines and not."""
    pytest.importorskip("numba")
    env, params = make(ft06())
    (row,) = versus_numba(env, params, "ft06", count=32, steps=36)
    assert row["ratio"] == pytest.approx(row["operations_per_second"] / row["other_operations_per_second"])


def test_numba_refuses_times_that_differ_by_machine(capsys):
    """Shows one line and no traceback where the loop could not make the same decisions."""
    pytest.importorskip("numba")
    env, params = make(random_shop(0))
    assert env.shape.choices > 1
    with pytest.raises(Exception, match="same time on each"):
        versus_numba(env, params, "x", count=2, steps=2)


def test_missing_extra_is_one_line(monkeypatch, capsys):
    """Shows that --versus and --plot without their library name the extra and end with 2."""
    monkeypatch.setitem(__import__("sys").modules, "jumanji", None)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    for options in (["--versus", "jumanji"], ["--plot", "x.png"]):
        assert main(["profile", *options]) == 2
        error = capsys.readouterr().err
        assert "--extra bench" in error
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--environments", "0"],
        ["--max-lot-hours", "nan"],
        ["--plot", "x", "--no-sweep"],
        ["--history", "x", "--trace", "y"],
        ["--trace", __file__],
        ["--trace", "/proc"],
        ["--trace", "/proc/x"],
    ],
)
def test_bad_options_are_one_line(options, capsys, monkeypatch):
    """Shows exit code 2 and one line, before anything is measured, for values that make no sense."""
    monkeypatch.setattr("jaxshop.profiling.measure_roofline", lambda **_: pytest.fail("it was measured"))
    assert main(["profile", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.thorough
def test_profile_json(tmp_path):
    """Shows the three phases of a small shop as one JSON line, with consistent rates, and a trace with their names.

    In a process of its own, as a user's is: a trace holds every program that its process has compiled.
    """
    config = tmp_path / "tiny.toml"
    config.write_text(  # an update as in test_budget
        "[pool]\nmachines = 4\njobs = 6\n[network]\nwidth = 16\n"
        "[general]\nupdates = 1\nshops = 2\nsamples = 4\ncandidates = 8\n[ppo]\nminibatches = 2\nmicrobatch = 16\n"
    )
    options = ["--no-sweep", "--json", "--environments", "4", "--config", str(config)]
    shop = tmp_path / "ft06.txt"
    shop.write_text("2 2\n0 3 1 2\n1 4 0 1\n")
    command = [sys.executable, "-m", "jaxshop.cli", "profile", shop, *options, "--trace", tmp_path / "trace"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    names = ["environment", "environment + network", "PPO update"]
    assert [p["phase"] for p in report["phases"]] == names
    for phase in report["phases"]:
        assert phase["operations_per_second"] <= phase["steps_per_second"]
        assert phase["bound_by"] in ("arithmetic", "memory")
        assert min(phase[k] for k in ("flop_per_step", "bytes_per_step", "peak_bytes", "compile_seconds")) > 0
    assert report["phases"][2]["network_ratio"] > 0
    assert list((tmp_path / "trace").rglob("*.xplane.pb"))
    traces = [json.loads(gzip.decompress(f.read_bytes())) for f in (tmp_path / "trace").rglob("*.trace.json.gz")]
    assert len(traces) == 4
    traced = {event.get("name") for trace in traces for event in trace["traceEvents"]}
    assert traced >= {*names, "network's own passes"}
    assert not {name for name in traced if name and name.endswith("Pass")}  # a compiler's
    assert sum(path.stat().st_size for path in (tmp_path / "trace").rglob("*") if path.is_file()) < 50e6
    assert_fits(limits_line(Roofline(**report["roofline"])), report["phases"])


def assert_fits(line: str, phases: list[dict]) -> None:
    """No table of these phases is wider than 80 columns or cuts a cell off, and no share is above 100 %."""
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    rows = [{"shop": "reference, 60 h lots", "lots": 546, "environments": 262144, "operations_per_second": 1.2e9}]
    console.print(line, phase_table(phases), limit_table(phases), against_table(phases, line_of_phases(phases)))
    console.print(sweep_table([row | {"bytes_per_environment": 8e6} for row in rows]))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert max((float(share) for share in re.findall(r"([\d.]+) %", text)), default=0) <= 100


def line_of_phases(phases: list[dict]) -> dict:
    """A line of a history with these phases."""
    return {"at": "2026-11-28T16:00:00Z", "phases": phases}


def large_phase() -> dict:
    """A phase of a GPU's profile."""
    figures = {"operations_per_second": 1.2e9, "steps_per_second": 1.3e9, "compile_seconds": 123.4, "peak_bytes": 131e9}
    shares = {"flop_per_step": 1e8, "bytes_per_step": 9e8, "roofline_share": 1.2, "traffic_share": 12.3}
    return {"phase": "environment + network", "environments": 262144, "bound_by": "arithmetic", **figures, **shares}


LIMITS = Roofline(7e14, ((1 << 22, 1e12), (1 << 30, 4e12)))


def test_large_figures_fit_80_columns():
    """Shows that the tables of a GPU's profile fit as well, and that noise never makes a share of more than 100 %."""
    assert_fits(limits_line(LIMITS), [large_phase()])


def test_a_profile_is_put_beside_an_earlier_one(tmp_path, capsys, monkeypatch):
    """Shows --history and --against of the command: a line each time, and the rates of then; without one, one line."""
    rates = [1.2e9, 0.6e9]

    def measured(*_):
        phase = large_phase() | {"network_ratio": 2.0, "experience_bytes": 1e6}
        return [phase | {"operations_per_second": rates.pop()}]

    monkeypatch.setattr("jaxshop.profiling.measure_roofline", lambda dtype: LIMITS)
    monkeypatch.setattr("jaxshop.profiling.phases.measure_phases", measured)
    shop, history = tmp_path / "small.txt", tmp_path / "history.jsonl"
    shop.write_text("2 2\n0 3 1 2\n1 4 0 1\n")
    asked = ["profile", str(shop), "--no-sweep", "--history", str(history)]
    assert main(asked) == 0
    assert "against" not in capsys.readouterr().out
    assert main([*asked, "--against", str(history)]) == 0
    told = capsys.readouterr().out
    assert f"against {json.loads(history.read_text().splitlines()[0])['at']}" in told
    row = next(line for line in told.partition("against")[2].splitlines() if "environment + network" in line)
    assert re.findall(r"[\d.]+(?: [GM])?", row)[:3] == ["1.2 G", "600 M", "2.00"]
    assert len(history.read_text().splitlines()) == 2
    assert main([*asked, "--max-lot-hours", "9", "--against", str(history)]) == 2
    assert "has no profile of small with the same lots" in capsys.readouterr().err


def test_history_gives_the_last_profile_that_can_be_compared(tmp_path):
    """Shows that a line is of the same device, shop, lots and size; what is no history is one line of error."""
    report = {"device": "a", "shop": {"name": "x"}, "max_lot_hours": None, "environments": 64, "steps": 9}
    report |= {"roofline": {}, "phases": []}
    path = str(tmp_path / "history.jsonl")
    for device, when in (("a", "first"), ("a", "second"), ("b", "third")):
        add_line(path, line_of(report | {"device": device}) | {"at": when})
    assert earlier_line(path, report)["at"] == "second"
    with pytest.raises(ShopError, match="has no profile of x with the same lots, "):
        earlier_line(path, report | {"max_lot_hours": 60.0})
    with pytest.raises(ShopError, match="the same lots, environments and steps"):
        earlier_line(path, report | {"environments": 256})
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(ShopError, match=r"bad.jsonl: line 1: is no line of"):
        earlier_line(str(tmp_path / "bad.jsonl"), report)


def test_sweep_is_drawn(tmp_path):
    """Shows a table row per measurement, and a PNG."""
    pytest.importorskip("matplotlib")
    rows = [
        {"shop": "a", "lots": 3, "environments": n, "operations_per_second": 1e5 * n, "bytes_per_environment": 9.0}
        for n in (1, 16)
    ]
    assert sweep_table(rows).row_count == 2
    draw_sweep(rows, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
