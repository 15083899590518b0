"""Kills a server with SIGKILL at random moments under load, and counts what was lost or done twice.

    python -m tests.oracles.kill --moments 50
    python -m tests.oracles.kill --moments 50 --store mariadb

Clients ask for schedules with idempotency keys and ask again whenever the server is gone. Every result that one of them
has seen must be there in the end, unchanged, and every key must stand for one request.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.shops import shop_body

ROOT = Path(__file__).parents[2]
KEY = "key-of-the-killers-load"
UNDER_WORK = ("queued", "running")


@dataclass
class Outcome:
    """What the clients saw; `failures` says what must not be."""

    kills: int = 0
    requests: int = 0
    seen_before_a_kill: int = 0
    begun_anew: int = 0
    said_lost: int = 0
    failures: list[str] = field(default_factory=list)


class Killed:
    """A server on a port of its own that is killed and started again."""

    def __init__(self, state: Path, store: dict[str, str]):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = (state / "log").open("w")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("JAXSHOP_")}
        self.environment = clean | {
            "JAXSHOP_API_KEYS": f"load:{KEY}",
            "JAXSHOP_STATE_DIR": str(state),
            "JAXSHOP_LEASE_S": "0.4",
            **store,
        }
        self.start()

    def client(self) -> httpx.Client:
        """A client of it, whenever it is up."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers={"X-API-Key": KEY}, timeout=30)

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [sys.executable, "-m", "tests.serving.fake_server", "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stderr=self.log)
        give_up = time.monotonic() + 120
        with self.client() as http:
            while time.monotonic() < give_up:
                try:
                    if http.get("/readyz").status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(0.02)
        raise RuntimeError("the server does not become ready")

    def kill(self) -> None:
        """As the kernel does where memory is short."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def insistent(http: httpx.Client, method: str, path: str, **request: Any) -> httpx.Response:
    """Ask until there is an answer: the server may be gone, or starting."""
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        try:
            response = http.request(method, path, **request)
            if response.status_code != 503:
                return response
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{method} {path}: no answer")


def digest(result: object) -> str:
    """Of a result."""
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


SQLITE = {"JAXSHOP_STORE": "sqlite"}


@contextmanager
def mariadb(folder: Path) -> Iterator[dict[str, str]]:
    """A MariaDB server of its own with the tables for results; yields the settings that name it."""
    from jaxshop.sources.mariadb.writer import init
    from tests.sources.mariadb.conftest import Server, make_site

    folder.mkdir()
    database = Server(folder)
    try:
        with pytest.MonkeyPatch.context() as patch:
            make_site(patch, folder / "state", database, "socket")
            init(results_only=True)
            named = {name: value for name, value in os.environ.items() if name.startswith("JAXSHOP_DB_")}
        yield {"JAXSHOP_STORE": "mariadb", **named}
    finally:
        database.stop()


def torture(moments: int, clients: int, state: Path, seed: int = 0, store: dict[str, str] = SQLITE) -> Outcome:
    """Kill the server so many times under load, then look at everything that it kept."""
    outcome, chance, stop = Outcome(), random.Random(seed), threading.Event()
    seen: dict[str, tuple[str, str]] = {}  # by key: id and digest of the result
    server = Killed(state, store)

    def load(name: int) -> None:
        count, body = 0, shop_body(jobs=6)
        with server.client() as http:
            while not stop.is_set():
                key = f"{name}/{count}"
                headers = {"Prefer": "respond-async", "Idempotency-Key": key}
                query = {"work": 20 + 40 * (count % 3), "seed": count}
                accepted = insistent(http, "POST", "/v1/schedules", json=body, params=query, headers=headers)
                if accepted.status_code != 202:
                    outcome.failures.append(f"{key}: {accepted.status_code} {accepted.text[:200]}")
                    return
                id = accepted.json()["id"]
                while (told := insistent(http, "GET", f"/v1/schedules/{id}").json()).get("status") in UNDER_WORK:
                    time.sleep(0.01)
                if told.get("result") is not None:
                    seen[key] = (id, digest(told["result"]))
                elif "problem:lost" in str(told):  # it was under work each time
                    outcome.said_lost += 1
                else:
                    outcome.failures.append(f"{key}: {told}")
                count += 1

    threads = [threading.Thread(target=load, args=(i,), daemon=True) for i in range(clients)]
    for thread in threads:
        thread.start()
    while not seen and any(thread.is_alive() for thread in threads):
        time.sleep(0.01)
    for _ in range(moments):
        time.sleep(chance.choice((0.2, 1, 3)) * chance.random())
        server.kill()
        outcome.kills, outcome.seen_before_a_kill = outcome.kills + 1, len(seen)
        server.start()
    time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join(60)
    with server.client() as http:
        kept, before = [], {}
        while True:
            page = http.get("/v1/schedules", params={"limit": 500} | before).json()
            kept += page["schedules"]
            if page["next"] is None:
                break
            before = {"before": page["next"]}
        for key, (id, was) in seen.items():
            told = http.get(f"/v1/schedules/{id}")
            if told.status_code != 200 or digest(told.json()["result"]) != was:
                outcome.failures.append(f"{key}: a result that was seen is lost or changed: {told.status_code}")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(60)
    server.log.close()
    outcome.requests = len(seen)
    outcome.begun_anew = (state / "log").read_text().count("begun anew")
    if len(kept) != len({entry["id"] for entry in kept}) or len(kept) != len(seen) + outcome.said_lost:
        outcome.failures.append(f"{len(kept)} requests are kept for {len(seen) + outcome.said_lost} keys")
    return outcome


def main() -> int:
    """Print the outcome; 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", choices=("sqlite", "mariadb"), default="sqlite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        state = Path(folder)
        store = opened.enter_context(mariadb(state / "db")) if options.store == "mariadb" else SQLITE
        outcome = torture(options.moments, options.clients, state, options.seed, store)
    print(json.dumps(vars(outcome)))
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
