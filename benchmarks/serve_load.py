"""Puts the server under load and checks what it promises; ends with 1 if a promise is broken.

    uv run benchmarks/serve_load.py                      # starts serve.py itself, in front of the shipped policy
    uv run benchmarks/serve_load.py --checkpoint DIR --scale 0.1 --json

Measured: the time to `/livez` and `/readyz`; the reference shop in lots and a 10 x 10 shop, one at a time; a mixed
load from 16 clients, every 200 verified here; 24 clients for 2 minutes; memory over many requests; every size and
every kind of request once; compilations after readiness.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from jaxshop.schedule import from_json, verify
from jaxshop.serving.engine import LADDER, JaxEngine
from jaxshop.shop import Job, Machine, Operation, Shop, parse_shop, shop_to_json, split_lots
from jaxshop.sources import load_shop

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Question:
    """A request, encoded once, so that the client's work stays out of the server's times."""

    name: str
    body: bytes
    query: dict[str, Any]

    @classmethod
    def of(cls, name: str, shop: Shop, **query: Any) -> Question:
        """Encode a shop."""
        return cls(name, json.dumps(shop_to_json(shop)).encode(), query)


@dataclass(frozen=True)
class Promise:
    """A figure, and the limit that it must keep."""

    name: str
    value: float
    limit: float
    unit: str = "s"

    @property
    def kept(self) -> bool:
        """Whether the figure keeps its limit."""
        return self.value <= self.limit


class Server:
    """serve.py in a process of its own."""

    def __init__(self, checkpoint: str | None):
        key = secrets.token_urlsafe(24)
        arguments = ["--port", "0"] + (["--checkpoint", checkpoint] if checkpoint else [])
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")  # noqa: SIM115 - closed by `stop`
        self.began, self.serving = time.monotonic(), 0.0
        self.process = subprocess.Popen(
            [sys.executable, "serve.py", *arguments],
            cwd=ROOT,
            env=os.environ | {"JAXSHOP_API_KEYS": f"load:{key}"},
            stderr=self.log,
        )
        self.url = self._await_url()
        self.http = self.client(key)
        self.http.get("/livez").raise_for_status()
        self.livez = time.monotonic() - self.began
        while not self._is_ready():
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended: {Path(self.log.name).read_text().splitlines()[-1]}")
            time.sleep(0.05)
        self.warm = time.monotonic() - self.began

    def _is_ready(self) -> bool:
        try:
            told = self.http.get("/readyz")
            if told.status_code == 200 and not self.serving:
                self.serving = time.monotonic() - self.began
            return told.status_code == 200 and "warming" not in told.json()
        except httpx.TransportError:
            return False

    def client(self, key: str | None = None) -> httpx.Client:
        """Return a client of the server."""
        headers = {"X-API-Key": key} if key else self.http.headers
        return httpx.Client(base_url=self.url, headers=headers, timeout=120)

    def ask(self, question: Question, http: httpx.Client | None = None) -> httpx.Response:
        """Post a question."""
        headers = {"Content-Type": "application/json"}
        http = http or self.http
        return http.post("/v1/schedules", content=question.body, params=question.query, headers=headers)

    def metric(self, pattern: str) -> float:
        """Return the sum of the metrics whose name with labels matches."""
        lines = self.http.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(pattern, line))

    def stop(self) -> int:
        """Return the exit code of a graceful stop."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            self.log.close()

    def _await_url(self) -> str:
        while self.process.poll() is None:
            for line in Path(self.log.name).read_text().splitlines():
                if line.startswith("{") and (url := json.loads(line).get("url")):
                    return url
            time.sleep(0.01)
        raise SystemExit(Path(self.log.name).read_text().strip())


def job_shop(jobs: int, machines: int, seed: int) -> Shop:
    """A job shop in which every job visits every machine once, for 0.1 to 10 h."""
    rng = np.random.default_rng(seed)

    def job(j: int) -> Job:
        times = rng.integers(360, 36_000, machines).tolist()
        route = rng.permutation(machines).tolist()
        return Job(f"J{j}", tuple(Operation(f"J{j}/{k}", {f"M{m}": times[k]}) for k, m in enumerate(route)))

    return Shop(f"{jobs}x{machines}", tuple(Machine(f"M{i}") for i in range(machines)), tuple(map(job, range(jobs))))


def one_at_a_time(server: Server, question: Question, count: int) -> list[float]:
    """Return the seconds of each of `count` requests, after one that does not count."""
    seconds = []
    for _ in range(count + 1):
        began = time.monotonic()
        server.ask(question).raise_for_status()
        seconds.append(time.monotonic() - began)
    return seconds[1:]


def check(question: Question, response: httpx.Response) -> list[str]:
    """Verify a reply here, with nothing taken on trust."""
    reply = response.json()
    plan = split_lots(parse_shop(json.loads(question.body), question.name), question.query.get("max_lot_hours"))
    found = verify(plan, from_json(reply["schedule"], question.name))
    if reply["kpis"]["completion"] != 1:
        found.append(f"completion {reply['kpis']['completion']}")
    return found


def mixed_load(server: Server, questions: list[Question], clients: int, count: int) -> tuple[Counter[int], list[str]]:
    """Ask `count` questions from `clients` threads; returns statuses and what was wrong with 200s."""

    def work(client: int) -> tuple[Counter[int], list[str]]:
        statuses: Counter[int] = Counter()
        wrong: list[str] = []
        with server.client() as http:
            for i in range(client, count, clients):
                question = questions[i % len(questions)]
                response = server.ask(question, http)
                statuses[response.status_code] += 1
                if response.status_code == 200:
                    wrong += check(question, response)
        return statuses, wrong

    with ThreadPoolExecutor(clients) as pool:
        results = list(pool.map(work, range(clients)))
    return sum((statuses for statuses, _ in results), Counter()), [fault for _, wrong in results for fault in wrong]


def memory_growth(server: Server, questions: list[Question], count: int) -> float:
    """Return the growth of resident memory in percent over `count` requests, after as many for warming up / 5."""

    def ask(times: int) -> float:
        for i in range(times):
            server.ask(questions[i % len(questions)]).raise_for_status()
        return server.metric("process_resident_memory_bytes")

    before = ask(count // 5)
    return 100 * (ask(count) / before - 1)


def crowd(server: Server, questions: list[Question], clients: int, seconds: float) -> Counter[int | str]:
    """Ask from so many clients at once for so long, some asynchronously; returns how often each status came."""
    until = time.monotonic() + seconds

    def work(client: int) -> Counter[int | str]:
        statuses: Counter[int | str] = Counter()
        with server.client() as http:
            i = client
            while time.monotonic() < until:
                question, i = questions[i % len(questions)], i + 1
                headers = {"Content-Type": "application/json"} | ({"Prefer": "respond-async"} if i % 3 == 0 else {})
                try:
                    told = http.post("/v1/schedules", content=question.body, params=question.query, headers=headers)
                except httpx.HTTPError as error:
                    statuses[type(error).__name__] += 1
                    continue
                statuses[told.status_code] += 1
                if told.status_code in (429, 503):
                    time.sleep(min(float(told.headers["Retry-After"]), max(0.0, until - time.monotonic())))
        return statuses

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(work, range(clients)), Counter())


def every_kind(server: Server) -> list[str]:
    """Ask once for each size of the ladder, greedy and sampled, and for all else there is; returns what was wrong."""
    engine = JaxEngine(None, lambda: None)  # compiles nothing: it only makes shops that fill the sizes
    wrong = []
    for size in LADDER:
        shop = engine.specimen(size).shop
        question = Question.of(f"{size.lots} lots, {size.operations} operations", shop, samples=1)
        response = server.ask(question)
        response.raise_for_status()
        wrong += check(question, response)
        if not response.json()["source"].startswith("policy:"):
            wrong.append(f"{question.name}: {response.json()['verification']}")
    shop = job_shop(6, 6, 2)
    question = Question.of("6 x 6", shop)
    document = {"shop": shop_to_json(shop), "schedule": server.ask(question).json()["schedule"]}
    if not server.http.post("/v1/schedules:verify", json=document).raise_for_status().json()["valid"]:
        wrong.append("the server's verifier refuses the server's schedule")
    headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
    accepted = server.http.post("/v1/schedules?samples=5", content=question.body, headers=headers).raise_for_status()
    if "event: done" not in server.http.get(accepted.headers["Location"] + "/events").text:
        wrong.append("an asynchronous request did not get done")
    for path in ("/", "/version", "/openapi.json", "/v1/models", "/v1/demo-shop"):
        server.http.get(path).raise_for_status()
    return wrong


def measure(server: Server, scale: float, say: Callable[[str], None]) -> tuple[list[Promise], dict[str, Any]]:
    """Run every part and return the promises, and what else is worth knowing."""

    def scaled(count: int) -> int:
        return max(4, round(count * scale))

    factory = Question.of("reference, 60 h lots", load_shop("reference"), max_lot_hours=60, samples=0)
    small = Question.of("10 x 10", job_shop(10, 10, 0), samples=0)
    mixed = [
        small,
        Question.of("20 x 5", job_shop(20, 5, 1), samples=16, seed=1),
        factory,
        Question.of("6 x 6", job_shop(6, 6, 2), work=50),
        Question.of("50 x 10", job_shop(50, 10, 3), max_lot_hours=48, time_limit_s=2),
        Question.of("30 x 10", job_shop(30, 10, 4), time_limit_s=5, samples=32),
    ]
    say("one at a time ...")
    big_seconds, small_seconds = one_at_a_time(server, factory, scaled(100)), one_at_a_time(server, small, scaled(200))
    say("16 clients ...")
    statuses, wrong = mixed_load(server, mixed, clients=16, count=scaled(200))
    say("24 clients ...")
    crowded = crowd(server, [*mixed, Question.of("10 x 10, searched", job_shop(10, 10, 5))], 24, 120 * min(1, scale))
    say("every size ...")
    wrong += every_kind(server)
    say("memory ...")
    growth = memory_growth(server, [small, mixed[1], mixed[3]], scaled(1000))
    promises = [
        Promise("/livez", server.livez, 1),
        Promise("/readyz", server.serving, 20),
        Promise("every size compiled", server.warm, 120),
        Promise("reference with lots, median", statistics.median(big_seconds), 1),
        Promise("reference with lots, p99", float(np.quantile(big_seconds, 0.99)), 2),
        Promise("10 x 10, median", statistics.median(small_seconds), 0.020),
        Promise(
            "mixed: statuses but 200, 429, 503",
            sum(statuses.values()) - sum(statuses[s] for s in (200, 429, 503)),
            0,
            "",
        ),
        Promise(
            "24 clients: statuses but 200, 202, 429, 503",
            crowded.total() - sum(crowded[s] for s in (200, 202, 429, 503)),
            0,
            "",
        ),
        Promise("faults in 200s", len(wrong), 0, ""),
        Promise("memory growth", growth, 5, "%"),
        Promise("compilations after readiness", server.metric('jaxshop_compilations_total{phase="serving"'), 0, ""),
    ]
    more = {
        "mixed_statuses": dict(statuses),
        "crowd_statuses": dict(crowded),
        "faults": wrong[:10],
        "fallbacks": server.metric("jaxshop_fallbacks_total"),  # a rule answers where a time limit leaves no more
        "resident_mb": round(server.metric("process_resident_memory_bytes") / 2**20),
        "cpus": len(os.sched_getaffinity(0)),
    }
    return promises, more


def main() -> int:
    """Measure; 0 if every promise was kept, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", metavar="DIR", help="default: the policy that ships with the package")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the requests, for a quick look")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    console = Console(stderr=options.json)
    server = Server(options.checkpoint)
    try:
        promises, more = measure(server, options.scale, lambda text: console.print(text, style="dim"))
    finally:
        exit_code = server.stop()
    promises.append(Promise("exit code of a graceful stop", exit_code, 0, ""))
    table = Table("figure", "measured", "limit", "")
    for promise in promises:
        mark = "kept" if promise.kept else "[bold red]BROKEN"
        table.add_row(promise.name, f"{promise.value:.3f} {promise.unit}", f"{promise.limit:g} {promise.unit}", mark)
    console.print(table)
    summary = (
        f"mixed load: {more['mixed_statuses']}; 24 clients: {more['crowd_statuses']}; {more['fallbacks']:g} fallbacks"
    )
    summary += f"; {more['resident_mb']} MB resident; {more['cpus']} CPU cores"
    console.print(summary, *more["faults"], sep="\n")
    if options.json:
        print(
            json.dumps({"figures": {p.name: p.value for p in promises}, **more, "kept": all(p.kept for p in promises)})
        )
    return 0 if all(promise.kept for promise in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
