"""The real engine behind a real socket: compiled once, the same bytes for the same request, weights swapped."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jax
import numpy as np
import pytest

from jaxshop.policies.checkpoint import Store
from jaxshop.policies.registry import make_network
from jaxshop.schedule import from_json, verify
from jaxshop.serving.client import Client
from jaxshop.serving.engine import LADDER, JaxEngine, parse_sizes
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, fingerprint, parse_shop, shop_to_json, split_lots
from jaxshop.support.errors import ShopError
from jaxshop.training.config import Config
from jaxshop.training.origin import Origin
from jaxshop.training.provenance import describe
from tests.oracles import dispatch as oracle
from tests.plant import plant_plan
from tests.shops import job_shop, shop_body, small_shop

from .conftest import BOSS, MES, Process
from .replies import lasting

LATE, FAR = 0.5, 2.0
"""Seconds behind its limit that a request may end on a machine that has other work: by the server's clock, which begins
when it is taken in, and for its client, of which 24 connect in the same moment."""


def write_checkpoint(folder: Path, seed: int, step: int, poison: float | None = None) -> None:
    """Write a policy that has learned nothing; `poison` goes into one of its weights."""
    config, plan = Config(), split_lots(small_shop(), None)
    weights = jax.jit(make_network(config.network).initialise)(jax.random.key(seed))
    if poison is not None:
        weights = jax.tree.map(lambda x: x + poison, weights)
    store = Store(folder / "checkpoints")
    store.save(step, {"x": np.zeros(1)}, weights, describe(config, plan, Origin())(step), score=-float(step))
    store.close()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder."""
    folder = tmp_path_factory.mktemp("run")
    write_checkpoint(folder, seed=0, step=0)
    return folder


@pytest.fixture(scope="module")
def real(checkpoint: Path) -> Iterator[Process]:
    """A ready server with the real engine."""
    process = Process(["-m", "tests.serving.real_server", "--port", "0", "--checkpoint", str(checkpoint)])
    process.await_ready()
    yield process
    assert process.stop() == 0


def compilations(real: Process) -> dict[str, float]:
    """Compilations by phase."""
    text = real.client.get("/metrics").text
    found = re.findall(r'jaxshop_compilations_total\{phase="(\w+)"\} ([\d.]+)', text)
    return {phase: float(count) for phase, count in found}


def test_a_size_for_the_plants_own_rules_takes_shops_with_and_without_them() -> None:
    """Padded to it, every shop is arrays of the sizes that were compiled; the usual sizes refuse rules by name."""
    (size,) = parse_sizes("32:128:16:8:64+12:400:8:8")
    ruled, usual = (JaxEngine(None, lambda: None, sizes) for sizes in ((size,), LADDER))

    def sizes(plan: LotPlan) -> Any:
        assert ruled.fit(plan) == size
        return jax.tree.map(lambda x: (np.shape(x), np.asarray(x).dtype), ruled.prepare(plan, 1, size).params)

    plans = [split_lots(small_shop(), None), *(plant_plan(seed) for seed in range(3))]
    compiled = sizes(ruled.specimen(size))
    assert all(sizes(plan) == compiled for plan in plans)
    for plan in plans[1:]:
        with pytest.raises(ShopError, match=r"no size here is compiled for .*JAXSHOP_SIZES adds a size: lots:"):
            usual.fit(plan)


def test_shops_of_any_fitting_size_get_valid_schedules(real: Process) -> None:
    """Whatever fits the padded size is answered by the policy, with a schedule that the verifier accepts."""
    one, many, small = {"jobs": 1, "machines": 2, "operations": 1}, {"jobs": 10, "machines": 10, "operations": 10}, {}
    for size, options in (
        (one, "?samples=0"),
        (many, "?samples=0"),
        (many, "?samples=20&seed=3"),
        (small, "?samples=0&max_lot_hours=1.2"),
    ):
        body = shop_body(**size)
        response = real.client.post(f"/v1/schedules{options}", json=body)
        assert response.status_code == 200, response.text
        reply = response.json()
        plan = split_lots(parse_shop(body, "body"), reply["schedule"]["max_lot_hours"])
        assert verify(plan, from_json(reply["schedule"], "reply")) == []
        assert reply["source"].startswith(("policy:", "rule:"))
        ruled = (oracle.dispatch(plan, rule, active) for rule in oracle.RULES.values() for active in (True, False))
        assert reply["kpis"]["makespan_hours"] <= min(schedule.makespan for schedule in ruled) / TICKS_PER_HOUR


def test_the_same_request_gets_the_same_bytes(real: Process) -> None:
    """Asked alone or beside others, with a seed: one reply; samples do not make it worse."""
    body = shop_body(jobs=30, machines=4, operations=4)
    first, second = (lasting(real.client.post("/v1/schedules?samples=40&seed=7", json=body)) for _ in range(2))
    assert first == second
    greedy = real.client.post("/v1/schedules?samples=0", json=body).json()
    sampled = real.client.post("/v1/schedules?samples=40&seed=7", json=body).json()
    assert sampled["kpis"]["makespan_hours"] <= greedy["kpis"]["makespan_hours"]
    assert sampled["samples_done"] == 40


@pytest.mark.thorough
def test_a_time_limit_gives_what_as_many_samples_give(real: Process) -> None:
    """The reply to a limited request is that to an unlimited one with its `samples_done`."""
    body = shop_body(jobs=8, machines=5, operations=5)
    shortest = real.client.get("/v1/models").json()["models"][0]["sizes"][0]["shortest_time_limit_with_samples_s"]
    limited = real.client.post(f"/v1/schedules?samples=4096&time_limit_s={shortest + 0.5}&seed=2", json=body)
    assert limited.elapsed.total_seconds() < shortest + 5
    done = limited.json()["samples_done"]
    assert done < 4096
    free = real.client.post(f"/v1/schedules?samples={done}&seed=2", json=body).json()
    for part in ("schedule", "kpis", "source", "samples_done"):
        assert free[part] == limited.json()[part]


@pytest.mark.thorough
def test_the_search_is_no_worse_than_any_rule_and_repeatable(real: Process) -> None:
    """Without options the search answers, valid and with every rule behind it; as much work gives the same bytes."""
    body = shop_body(jobs=20, machines=5, operations=5)
    reply = real.client.post("/v1/schedules?time_limit_s=1", json=body).json()
    plan = split_lots(parse_shop(body, "body"), None)
    assert verify(plan, from_json(reply["schedule"], "reply")) == []
    assert reply["verification"]["rejected_attempts"] == []
    ruled = (oracle.dispatch(plan, rule, active) for rule in oracle.RULES.values() for active in (True, False))
    assert reply["kpis"]["makespan_hours"] <= min(schedule.makespan for schedule in ruled) / TICKS_PER_HOUR
    first, second = (lasting(real.client.post("/v1/schedules?work=40&seed=5", json=body)) for _ in range(2))
    assert first == second
    assert b'"source":"search:improve"' in first


@dataclass(frozen=True)
class Outcome:
    """How a request for a 10 x 10 job shop ended, asynchronous or not."""

    plan: LotPlan
    limit: float
    seconds: float
    """For the client."""
    served: float
    """Seconds by the server's clock, queue included; 0 where the reply tells none."""
    status: int
    reply: dict[str, Any]
    """Or the problem."""


def asked_among_others(real: Process, gate: threading.Barrier, seed: int) -> Outcome:
    """Ask with a limit when all others do; every fourth time asynchronously, until the request has ended."""
    shop, limit = job_shop(seed, 10, 10, 36_000), (0.5, 0.75, 1.0)[seed % 3]
    later = {"Prefer": "respond-async"} if seed % 4 == 3 else {}
    with httpx.Client(base_url=real.url, headers=MES | later, timeout=60) as client:
        body = shop_to_json(shop)
        gate.wait()
        began = time.monotonic()
        told = client.post(f"/v1/schedules?time_limit_s={limit}&seed={seed}", json=body)
        if told.status_code == 202:
            client.get(told.headers["location"] + "/events")  # which end with the request
        seconds = time.monotonic() - began
        parts = re.findall(r"(?:queue|total);dur=([\d.]+)", told.headers.get("server-timing", ""))
        status, reply = told.status_code, told.json()
        if status == 202:
            state = client.get(told.headers["location"]).json()
            reply = state["result"] or state["error"]
            status = 200 if state["result"] else reply["status"]
        elif status == 503:
            assert int(told.headers["retry-after"]) >= 1
    return Outcome(split_lots(shop, None), limit, seconds, sum(map(float, parts)) / 1000, status, reply)


@pytest.mark.thorough
def test_24_searches_at_once_keep_their_limits(real: Process) -> None:
    """Shows that of 24 requests at once, a quarter of them asynchronous, each gets a valid schedule by its limit of
    half a second to one, in which it waits for its turn as well, or is told then that this took too long."""
    gate = threading.Barrier(24)
    with ThreadPoolExecutor(24) as clients:
        outcomes = list(clients.map(lambda seed: asked_among_others(real, gate, seed), range(24)))
    answered = [each for each in outcomes if each.status == 200]
    for each in answered:
        assert verify(each.plan, from_json(each.reply["schedule"], "reply")) == []
        assert each.reply["kpis"]["completion"] == 1
    refused = {(each.status, each.reply["type"]) for each in outcomes if each.status != 200}
    assert refused <= {(503, "urn:jaxshop:problem:queue-too-long")}
    assert any(each.reply["source"] == "search:improve" for each in answered)
    assert sum(each.served > 0 for each in answered) >= 6  # how many in all, depends on the machine
    assert max(each.served - each.limit for each in answered) < LATE
    assert max(each.seconds - each.limit for each in outcomes) < FAR


def test_a_shop_beyond_the_ladder_is_refused_to_the_policy_with_the_limit(real: Process) -> None:
    """422 where the policy is to play, and nothing is compiled for it; searches need no size."""
    refused = real.client.post("/v1/schedules?samples=1", json=shop_body(jobs=33))
    assert (refused.status_code, "32 lots" in refused.json()["detail"]) == (422, True)
    assert real.client.post("/v1/schedules?work=1", json=shop_body(jobs=33)).json()["verification"]["valid"]


def test_weights_are_swapped_and_bad_ones_refused(real: Process, checkpoint: Path) -> None:
    """A newer checkpoint is taken up; damaged files, NaN and a missing folder change nothing; nothing compiles."""

    def model() -> str:
        return real.client.get("/v1/models").json()["models"][0]["fingerprint"]

    def reload(why: str = "") -> int:
        reply = real.client.post("/v1/models:reload", headers=BOSS)
        if reply.status_code != 200:
            detail = reply.json()["detail"]
            assert reply.headers["content-type"] == "application/problem+json"
            assert detail.startswith("the model in use stays, because of the new one: ")
            assert why in detail
            # The refused weights never reach a reply.
            assert real.client.post("/v1/schedules", json=body).json()["model"]["fingerprint"] == second
        return reply.status_code

    first, body = model(), shop_body(jobs=10, machines=6, operations=6)
    before = real.client.post("/v1/schedules?samples=0", json=body).json()
    write_checkpoint(checkpoint, seed=1, step=1)
    assert reload() == 200
    second = model()
    assert second != first
    assert real.client.post("/v1/schedules", json=body).json()["model"]["fingerprint"] == second

    write_checkpoint(checkpoint, seed=2, step=2, poison=np.nan)
    assert (reload("not finite"), model()) == (409, second)
    write_checkpoint(checkpoint, seed=3, step=3)
    files = [path for path in (checkpoint / "checkpoints" / "3").rglob("*") if path.is_file()]
    heaviest = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(heaviest.read_bytes())
    content[len(content) // 2] ^= 1  # one bit
    heaviest.write_bytes(content)
    assert (reload("damaged"), model()) == (409, second)
    heaviest.write_bytes(content[: len(content) // 2])
    assert (reload("damaged"), model()) == (409, second)
    shutil.rmtree(checkpoint / "checkpoints")
    assert (reload("no"), model()) == (409, second)

    write_checkpoint(checkpoint, seed=0, step=0)
    assert (reload(), model()) == (200, first)
    after = real.client.post("/v1/schedules?samples=0", json=body).json()
    assert (after["schedule"], after["kpis"], after["source"]) == (before["schedule"], before["kpis"], before["source"])


def test_nothing_was_compiled_after_the_warm_up(real: Process) -> None:
    """After all of the above, and a request of every other kind, the counter while serving still stands at 0."""
    with Client(real.url, "the-key-of-the-mes") as client:
        reply = client.schedule(small_shop())
        assert client.verify(small_shop(), reply["schedule"])["valid"]
    for path in ("/v1/demo-shop", "/v1/models", "/version", "/openapi.json", "/"):
        assert real.client.get(path).status_code == 200
    later = real.client.post("/v1/schedules?samples=17", json=shop_body(), headers={"Prefer": "respond-async"})
    events = real.client.get(later.headers["location"] + "/events").text  # which end with the request
    assert "event: done" in events
    counts = compilations(real)
    assert counts["warm_up"] >= 2
    assert counts["serving"] == 0


def test_every_rung_holds_its_own_specimen() -> None:
    """The ladder rises, specimens fill it, and the factory's shop in lots goes to a rung of its own kind."""
    engine = JaxEngine(None, lambda: None)
    assert len({tuple(engine.limits(size).values()) for size in LADDER}) == len(LADDER)  # nobody sees two alike
    for size in LADDER:
        plan = engine.specimen(size)
        assert engine.fit(plan) == size
        assert len(plan.lots) == size.lots
        assert fingerprint(plan.shop) == fingerprint(engine.specimen(size).shop)
    with pytest.raises(ShopError, match="2048 lots"):
        engine.fit(split_lots(small_shop(2049, 3, 1), None))
