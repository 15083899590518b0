"""Servers: in the process for what needs no socket, in a process of its own for what does."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jaxshop.serving.app import create_app
from jaxshop.serving.service import Service
from jaxshop.serving.settings import load_settings

from .fakes import FakeEngine

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says that it will want another HTTP library one day
    from starlette.testclient import TestClient

KEYS = {
    "read_keys": "clerk:the-key-of-the-clerk",
    "api_keys": "planner:the-key-of-planner,mes:the-key-of-the-mes",
    "release_keys": "chief:the-key-of-the-chief",
    "admin_keys": "boss:the-key-of-the-boss",
    "search_s": "0.2",
    "store": "memory",
}
PLANNER, MES, BOSS, CLERK, CHIEF = (
    {"X-API-Key": f"the-key-of-{name}"} for name in ("planner", "the-mes", "the-boss", "the-clerk", "the-chief")
)
ROOT = Path(__file__).parents[2]


def await_ready(ask: Callable[[], httpx.Response], timeout: float = 240) -> None:
    """Ask `/readyz` until it says 200, and that every size is compiled."""
    give_up = time.monotonic() + timeout
    while (told := ask()).status_code != 200 or "warming" in told.json():
        assert time.monotonic() < give_up, "the server does not become ready"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("JAXSHOP_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def serve() -> Iterator[Callable[..., TestClient]]:
    """`serve(engine, **settings)`: a ready application in this process, called with the planner's key."""
    opened: list[TestClient] = []

    def start(engine: FakeEngine | None = None, wait: bool = True, **settings: Any) -> TestClient:
        app = create_app(Service(load_settings(**{**KEYS, **settings}), lambda *_: engine or FakeEngine()))
        client = TestClient(app, headers=PLANNER, raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        if wait:
            await_ready(lambda: client.get("/readyz"))
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    """A ready application in this process, with a fake engine, for tests that leave it as it was."""
    app = create_app(Service(load_settings(**KEYS), lambda *_: FakeEngine()))
    with TestClient(app, headers=PLANNER, raise_server_exceptions=False) as ready:
        await_ready(lambda: ready.get("/readyz"))
        yield ready


class Process:
    """A server in a process of its own, on a port that the system chose."""

    def __init__(self, command: list[str], **environment: str):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("JAXSHOP_")}
        keys = {f"JAXSHOP_{name.upper()}": value for name, value in KEYS.items()}
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=clean | keys | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._new: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.listening = self.await_event("listening")
        self.url = self.listening["url"]
        self.client = httpx.Client(base_url=self.url, headers=PLANNER, timeout=240)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._new.put(line)

    def await_event(self, message: str, timeout: float = 240) -> dict[str, Any]:
        """Return the next log entry with that message."""
        give_up = time.monotonic() + timeout
        while True:
            line = self._new.get(timeout=max(0.01, give_up - time.monotonic()))
            if line.startswith("{") and (entry := json.loads(line))["message"] == message:
                return entry

    def await_ready(self) -> None:
        """Wait until `/readyz` says 200."""
        await_ready(lambda: self.client.get("/readyz"))

    def stop(self, with_signal: int = signal.SIGTERM, timeout: float = 60) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(timeout)
        finally:
            self.process.kill()
            self._reader.join(5)
            self.process.stderr.close()
            self.client.close()


@pytest.fixture
def fake_process() -> Iterator[Callable[..., Process]]:
    """`fake_process(**environment)`: a real server with a fake engine, stopped at the end."""
    processes: list[Process] = []

    def start(*arguments: str, **environment: str) -> Process:
        process = Process(["-m", "tests.serving.fake_server", "--port", "0", *arguments], **environment)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def server() -> Iterator[Process]:
    """A server with a fake engine that tests share which leave it as it was."""
    process = Process(["-m", "tests.serving.fake_server", "--port", "0"], JAXSHOP_REQUEST_TIMEOUT_S="2")
    process.await_ready()
    yield process
    assert process.stop() == 0
