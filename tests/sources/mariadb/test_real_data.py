"""Real data, enforced: what train.py refuses, where provenance travels to, and what every command prints first."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxshop.policies.checkpoint import Store, load_policy
from jaxshop.ppo.losses import LossMetrics
from jaxshop.ppo.update import Learner, UpdateMetrics
from jaxshop.schedule import read as read_schedule
from jaxshop.search.tune import Tuned
from jaxshop.search.types import Incumbent
from jaxshop.shop import fingerprint
from jaxshop.sources.mariadb.writer import init, load
from jaxshop.support.errors import ShopError
from jaxshop.training.evaluate import Evaluator, Ruled, Score
from tests.cli.test_cli import assert_refused
from tests.shops import tiny_shop
from tests.trained import Result, run, run_train, write_tiny

ROOT = Path(__file__).parents[3]
PRODUCTION = ROOT / "configs" / "production.toml"


@pytest.fixture
def snapshot(loose, jaxshop, tmp_path) -> Path:
    """A signed snapshot of a small shop."""
    path = tmp_path / "snapshot.json"
    assert jaxshop("db", "snapshot", str(path)).code == 0
    return path


def spoil(path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Turn a signed snapshot into something that is not real data; returns what to train for."""
    data = json.loads(path.read_text())
    if how == "edited":
        data["jobs"][0]["operations"][0]["alternatives"]["M1"] *= 15
    elif how == "unsigned":
        del data["provenance"]["signature"]
    elif how == "said to be newer":
        data["provenance"]["taken_at"] = "2030-01-01T00:00:00Z"
    elif how == "a file":
        del data["provenance"]
    elif how == "wrongly keyed":
        monkeypatch.setenv("JAXSHOP_SNAPSHOT_KEY", "quite another key")
    elif how == "without the key":
        monkeypatch.delenv("JAXSHOP_SNAPSHOT_KEY")
    else:
        return how
    path.write_text(json.dumps(data))
    return str(path)


@pytest.mark.parametrize("asked", ["config", "--shop", "run.shop=", "require_real_data=true"])
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("reference", "its provenance is 'generated', not 'mariadb'"),
        ("reference:3", "its provenance is 'generated', not 'mariadb'"),
        ("a file", "its provenance is 'file', not 'mariadb'"),
        ("unsigned", "claims 'mariadb' without a signature"),
        ("edited", "its signature is not valid"),
        ("said to be newer", "its signature is not valid"),
        ("wrongly keyed", "another key (is it the one that signed?)"),
        ("without the key", "set JAXSHOP_SNAPSHOT_KEY to the key that signed it"),
    ],
)
def test_train_refuses_what_is_not_real(snapshot, tmp_path, monkeypatch, how: str, said: str, asked: str) -> None:
    """`require_real_data` refuses it in one line with exit 2, however it is asked for; no run folder is left."""
    shop = spoil(snapshot, how, monkeypatch)
    words = ["--config", PRODUCTION, f"run.runs_dir={tmp_path / 'runs'}"]
    if asked == "config":
        text = PRODUCTION.read_text().replace('shop = "mariadb:"', f"shop = {json.dumps(shop)}")
        (tmp_path / "own.toml").write_text(text)
        words[1] = tmp_path / "own.toml"
    elif asked == "--shop":
        words += ["--shop", shop]
    elif asked == "run.shop=":
        words.append(f"run.shop={shop}")
    else:
        words[1] = ROOT / "configs" / "smoke.toml"
        words += [f"run.shop={shop}", "run.require_real_data=true"]
    assert_refused(run_train(*words), "error: require_real_data: ", said)
    assert not (tmp_path / "runs").exists()


def test_train_refuses_as_a_process(tmp_path) -> None:
    """The real train.py, with the configuration for production: exit 2, one line, no traceback."""
    command = [sys.executable, "train.py", "--config", "configs/production.toml", "--shop", "reference"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: require_real_data: reference: its provenance is 'generated'")
    assert ended.stderr.count("\n") == 1


def idle_updates(*_: object) -> Callable:
    """Stands for a stage's update: learns nothing, and compiles nothing."""
    zero = np.float32(0)

    def update(learner: Learner, banks: object) -> tuple[Learner, tuple[UpdateMetrics, ...]]:
        metrics = UpdateMetrics(LossMetrics(*[zero] * len(LossMetrics._fields)), zero, zero, zero, zero, np.int32(1))
        return learner._replace(update=learner.update + 1), (metrics,)

    return update


class OwnAlone(Evaluator):
    """Judges by the greedy schedule of the shop itself alone."""

    def score(self, weights: object, whose: str) -> Score:
        """As if there were no other shops."""
        return Score(self.greedy(weights, whose).cost, 0.0, {"own": 0.0})

    def best_of(self, weights: object, samples: int, seed: int, whose: str) -> Incumbent:
        """As if all samples were alike."""
        return self.greedy(weights, whose)

    def rules(self, seeds: int) -> dict[str, Ruled]:
        """As if none were any good."""
        return {}

    def tuned(self, seed: int, seconds: float, watch: Callable[[float], None]) -> Tuned:
        """As if it were optimal."""
        return Tuned(np.zeros(0), 1, 1, 0, 0.0)


@pytest.fixture(scope="module")
def trained(module_site, tmp_path_factory) -> Result:
    """A run of train.py, straight from the database, that accepts nothing else.

    What it learns and compares itself with does not matter here, so that only its greedy schedule is compiled.
    """
    init()
    load(tiny_shop())
    small = ["general.updates=1", "own.updates=1", "evaluation.selection_shops=1", "pool.count=1"]
    real = ["run.shop=mariadb:", "run.require_real_data=true", *small]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxshop.training.stages.jitted_update", idle_updates)
        patch.setattr("jaxshop.training.launch.traced_update", lambda *_: SimpleNamespace(compile=idle_updates))
        patch.setattr("jaxshop.training.launch.Evaluator", OwnAlone)
        return run_train("--config", write_tiny(tmp_path_factory.mktemp("real")), *real, "--json")


def test_provenance_travels(trained: Result, module_site) -> None:
    """A run from the database prints its report first; provenance and fingerprint are in all that it leaves."""
    site = module_site
    assert trained.code == 0, trained.err
    mark = fingerprint(tiny_shop())
    report = trained.err.index(f"data report: {site.name} at ")
    assert report < trained.err.index(f"fingerprint {mark}") < trained.err.index("run folder")
    shop = trained.json["shop"]
    assert (shop["fingerprint"], shop["provenance"]["kind"]) == (mark, "mariadb")
    assert shop["provenance"]["detail"] == f"{site.name} at {site.server.socket}"
    folder = Path(trained.json["run_dir"])
    assert read_schedule(folder / "schedule.json").fingerprint == mark
    store = Store(folder / "checkpoints", read_only=True)
    for meta in (store.meta(store.best()), store.meta(store.latest()), load_policy(folder).meta):
        assert (meta["fingerprint"], meta["provenance"]) == (mark, shop["provenance"])
    # What a server says of its model is `trained_on`.
    seen = [part for part in load_policy(folder).meta["trained_on"] if part["kind"] == "shop"]
    assert seen
    assert all((part["fingerprint"], part["provenance"]) == (mark, shop["provenance"]) for part in seen)


def test_a_resume_reads_and_judges_the_database_again(trained: Result, module_site, tmp_path, monkeypatch) -> None:
    """--resume goes on with the same data only: no other shop or copy, no waived rule, no changed rows."""
    folder = Path(trained.json["run_dir"])
    copy = tmp_path / "copy.json"
    assert run("inspect", "mariadb:", "--out", copy).code == 0
    data = json.loads(copy.read_text())
    del data["provenance"]
    copy.write_text(json.dumps(data))
    for words, said in (
        (["--shop", "reference"], "run.shop was 'mariadb:', now 'reference'"),
        ([f"run.shop={copy}"], "run.shop was 'mariadb:', now"),
        (["run.require_real_data=false"], "run.require_real_data was True, now False"),
    ):
        assert_refused(run_train("--resume", folder, *words), said)

    edited = Path(shutil.copytree(folder, tmp_path / "edited"))
    config = json.loads((edited / "config.json").read_text())
    config["run"] |= {"require_real_data": False, "shop": str(copy)}
    (edited / "config.json").write_text(json.dumps(config))
    assert_refused(run_train("--resume", edited), "run.shop was 'mariadb:'", "run.require_real_data was True")

    module_site.sql("UPDATE operation_machines SET duration_h = duration_h + 1")
    changed = run_train("--resume", folder)
    module_site.sql("UPDATE operation_machines SET duration_h = duration_h - 1")
    assert (changed.code, changed.err.count("\n")) == (2, 1)
    assert "was trained for shop" in changed.err

    def begin(*_: object, **__: object) -> None:
        raise ShopError("it would train on")

    monkeypatch.setattr("jaxshop.training.launch.train", begin)
    again = run_train("--resume", folder)
    assert again.err == "error: it would train on\n"
    assert "data report: " in again.out


@pytest.mark.parametrize("command", ["inspect", "solve", "evaluate", "verify", "profile", "snapshot", "train"])
def test_every_command_reports_on_the_data_first(loose, tmp_path, monkeypatch, command: str) -> None:
    """Whatever reads the database reports on it before anything is done with it, and ends at a bad row with 2."""
    nothing = {"format": "jaxshop-schedule/1", "shop": "", "max_lot_hours": None, "makespan": 0, "operations": []}
    (tmp_path / "s.json").write_text(json.dumps(nothing))
    words = {
        "solve": ["solve", "mariadb:", "--rule", "MWKR", "--out", tmp_path / "out.json"],
        "verify": ["verify", "mariadb:", tmp_path / "s.json"],
        "snapshot": ["db", "snapshot", tmp_path / "out.json"],
        "train": ["--config", PRODUCTION, f"run.runs_dir={tmp_path / 'runs'}"],
    }.get(command, [command, "mariadb:"])

    monkeypatch.setattr("jaxshop.policies.checkpoint.load_policy", lambda _: None)

    def ended() -> Result:
        return run_train(*words) if command == "train" else run(*words)

    loose.sql("UPDATE operation_machines SET duration_h = NULL WHERE operation_id = 'B/1'")
    refused = ended()
    assert refused.code == 2
    assert "1  operation_machines.duration_h: a missing value is never filled in" in refused.out + refused.err
    errors = [line for line in refused.err.splitlines() if not line.startswith(("data report", "  "))]
    assert errors == [
        "error: mariadb: operation_machines: 'B/1', 'M1': duration_h NULL: a missing value is never filled in"
    ]
    assert not (tmp_path / "out.json").exists()

    class BeganError(Exception):
        """Raised where the command would begin its work."""

    def stop(*_: object, **__: object) -> None:
        raise BeganError

    loose.sql("UPDATE operation_machines SET duration_h = 3 WHERE operation_id = 'B/1'")
    begins = {
        "snapshot": "cli.db.write_atomic",
        "train": "training.launch.draft",
        "inspect": "views.inspection.split_lots",
    }
    begins |= {"inspect": "views.inspection.split_lots", "evaluate": "search.compare.split_lots"}
    place = begins.get(command, "shop.split_lots")
    monkeypatch.setattr(f"jaxshop.{place}", stop)
    printed: list[str] = []
    monkeypatch.setattr(
        "jaxshop.sources.report.report_text", lambda report, full: printed.append(report["fingerprint"]) or ""
    )
    with pytest.raises(BeganError):
        ended()
    assert len(printed) == 1


def test_a_client_reports_on_the_data_it_sends(loose, capsys) -> None:
    """A Python client that sends the database's shop to a server prints the report on stderr."""
    import httpx

    from jaxshop.serving.client import Client

    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, json={})

    with Client("http://server", transport=httpx.MockTransport(answer)) as client:
        client.schedule("mariadb:")
    assert sent[0]["provenance"]["kind"] == "mariadb"
    assert "data report: " in capsys.readouterr().err


def test_solve_says_where_the_shop_is_from(loose, tmp_path) -> None:
    """The JSON of `solve` holds the shop's fingerprint and provenance, the schedule file the fingerprint."""
    from jaxshop.sources.mariadb.reader import read_shop

    out = tmp_path / "schedule.json"
    found = run("solve", "mariadb:", "--rule", "MWKR", "--out", out, "--json").json
    shop = read_shop()
    assert found["fingerprint"] == fingerprint(shop) == read_schedule(out).fingerprint
    assert found["provenance"] | {"taken_at": None, "signature": None} == asdict(shop.provenance) | {
        "taken_at": None,
        "signature": None,
    }
