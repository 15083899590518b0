"""A real server on a real socket, in a process of its own: starts, stops, crashes, and clients that go away."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from jaxshop.serving.client import (
    Client,
)
from jaxshop.serving.server import _listen, main
from tests.shops import shop_body

from .conftest import ROOT, Process

Start = Callable[..., Process]
ASYNC = {"Prefer": "respond-async"}


def test_alive_before_it_is_ready(fake_process: Start) -> None:
    """`/livez` answers within 1 s of the start of the process, readiness follows."""
    process = fake_process()
    assert process.client.get("/livez").status_code == 200
    elapsed = min(time.monotonic() - process.started, process.listening["cpu_seconds"])
    # On a machine that does much else, a second is long: what counts then is what FastAPI alone takes on it.
    bare = "import time, fastapi, uvicorn; print(time.process_time())"
    fastapi = float(subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True, check=True).stdout)
    assert elapsed < max(1.0, 2.5 * fastapi)
    process.await_ready()


def test_the_server_loads_neither_jax_nor_fastapi_before_it_listens() -> None:
    """What takes long to import waits until `/livez` can be answered."""
    code = (
        "import sys, jaxshop.serving.server; print({'jax', 'scipy', 'numpy', 'orbax', 'fastapi'} & sys.modules.keys())"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("arguments", "keys", "message"),
    [
        ([], "", "no API key"),
        (["--no-auth", "--host", "0.0.0.0"], "", "loopback"),
        ([], "name-without-key", "entry 1"),
        ([], "ann:short", "the key of 'ann' must have at least 16 characters"),
        (["--port", "99999"], "a:long-enough-a-key", "JAXSHOP_PORT"),
        (["--host", "192.0.2.1"], "a:long-enough-a-key", "cannot listen"),
        (
            ["--port", "x"],
            "a:long-enough-a-key",
            "argument --port: invalid int value: 'x'; see serve.py --help",
        ),
        (["--hots", "h"], "a:long-enough-a-key", "unrecognized arguments: --hots h; see serve.py --help"),
    ],
)
def test_what_cannot_work_ends_with_2_and_one_line(
    arguments: list[str],
    keys: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bad settings end the server before anything is loaded, in one clear line."""
    monkeypatch.setenv("JAXSHOP_API_KEYS", keys)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
    assert message in err


def test_serve_py_refuses_a_port_in_use() -> None:
    """The script itself: exit code 2, one line, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "serve.py", "--no-auth", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "in use" in ended.stderr


def test_a_bad_checkpoint_ends_with_2(tmp_path: Path) -> None:
    """A server that can never become ready does not linger."""
    bad = tmp_path / "model.json"
    bad.write_text('{"name": "damaged"}')
    arguments = ["--no-auth", "--port", "0", "--checkpoint", str(bad)]
    command = [sys.executable, "-m", "tests.serving.fake_server", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, "damaged" in ended.stderr.splitlines()[-1]) == (2, True)
    assert "Traceback" not in ended.stderr


def test_a_stop_does_not_wait_for_the_compilation(fake_process: Start, tmp_path: Path) -> None:
    """While the sizes are compiled, searches are served and samples refused; SIGTERM then ends with 0 at once."""
    slow = tmp_path / "model.json"
    slow.write_text('{"name": "slow"}')
    process = fake_process("--checkpoint", str(slow))
    process.await_event("compiling a size")
    told = process.client.get("/readyz")
    now = "16 lots, 64 operations, 999 machines, 999 times per operation, 999 machine sets"
    assert (told.status_code, told.json()["warming"]) == (200, {"compiled": 0, "of": 2, "now": now})
    assert process.client.post("/v1/schedules", json=shop_body()).json()["source"] == "search:auto"
    early = process.client.post("/v1/schedules?samples=1", json=shop_body())
    assert (early.status_code, early.json()["type"]) == (503, "urn:jaxshop:problem:compiling")
    assert process.stop(timeout=30) == 0  # the compilation takes 60 s
    assert not any('"ERROR"' in line or "Traceback" in line for line in process.lines)


def test_a_stop_does_not_wait_for_kernels(fake_process: Start, tmp_path: Path) -> None:
    """Where all is ready and the search's kernels are still compiled beside it, SIGTERM ends with 0 as quickly."""
    checkpoint = tmp_path / "model.json"
    checkpoint.write_text('{"name": "kernels"}')
    process = fake_process("--checkpoint", str(checkpoint))
    process.await_event("warm")
    assert process.client.get("/readyz").json() == {"status": "ready", "beside": ["kernels are compiled"]}
    assert process.stop(timeout=30) == 0
    assert process.lines[-1].startswith("{")


def test_a_stop_in_the_first_moments_ends_without_a_traceback(fake_process: Start) -> None:
    """SIGTERM while the application is loaded, and while the model is: exit code 0, JSON lines and nothing else."""
    process = fake_process()
    assert process.stop(timeout=60) == 0
    assert all(line.startswith("{") for line in process.lines), process.lines
    assert not any("Traceback" in line or '"ERROR"' in line for line in process.lines)


def accepts_connections(url: str) -> bool:
    """Say whether a server still listens."""
    try:
        socket.create_connection((httpx.URL(url).host, httpx.URL(url).port)).close()
    except OSError:
        return False
    return True


def test_a_stop_drains(fake_process: Start) -> None:
    """Readiness goes first, the request under work gets its answer, new connections are refused, exit code 0."""
    process = fake_process(JAXSHOP_UNREADY_S="1.5")
    process.await_ready()
    replies: list[httpx.Response] = []
    body = shop_body(name="samples:dawdle")
    work = threading.Thread(target=lambda: replies.append(process.client.post("/v1/schedules?samples=80", json=body)))
    work.start()
    time.sleep(0.2)
    process.process.send_signal(signal.SIGTERM)
    process.await_event("stopping")
    with httpx.Client(base_url=process.url) as other:
        assert (other.get("/readyz").status_code, other.get("/livez").status_code) == (503, 200)
    while accepts_connections(process.url):
        time.sleep(0.05)
    work.join(60)
    assert replies[0].status_code == 200
    assert replies[0].json()["samples_done"] == 80
    assert process.process.wait(60) == 0
    assert process.await_event("stopped")["device_ended"] is True


@pytest.mark.thorough
def test_a_stop_cuts_off_what_does_not_end(fake_process: Start) -> None:
    """A stuck device, a request that waits for it, and a stream of events hold up the stop no longer than the drain."""
    process = fake_process(JAXSHOP_DRAIN_S="1")
    process.await_ready()
    body = shop_body(name="greedy:hang")
    location = process.client.post("/v1/schedules?samples=0", json=body, headers=ASYNC).headers["location"]
    ends: list[str] = []

    def watch() -> None:
        try:
            with httpx.stream(
                "GET", process.url + location + "/events", headers=process.client.headers, timeout=240
            ) as stream:
                ends.extend(line for line in stream.iter_lines() if line.startswith("event"))
        except httpx.HTTPError:
            ends.append("cut")

    def ask() -> None:
        try:
            headers = process.client.headers
            reply = httpx.post(f"{process.url}/v1/schedules?samples=0", json=body, headers=headers, timeout=240)
            ends.append(str(reply.status_code))
        except httpx.HTTPError:
            ends.append("cut")

    threads = [threading.Thread(target=watch), threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert process.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 40  # without the cut, 600 s
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert len(ends) >= 2


def test_a_killed_server_leaves_no_client_hanging(fake_process: Start) -> None:
    """SIGKILL in the middle of a request: its client learns at once, and the port is free for a new server."""
    process = fake_process()
    process.await_ready()
    errors: list[Exception] = []

    def ask() -> None:
        try:
            process.client.post("/v1/schedules?samples=0", json=shop_body(name="greedy:hang"))
        except httpx.HTTPError as error:
            errors.append(error)

    work = threading.Thread(target=ask)
    work.start()
    time.sleep(0.3)
    assert process.stop(signal.SIGKILL) == -signal.SIGKILL
    work.join(60)
    assert len(errors) == 1
    with _listen("127.0.0.1", httpx.URL(process.url).port) as listener:  # as a new server does
        listener.listen()


@pytest.fixture(scope="module")
def narrow() -> Iterator[Process]:
    """A server that takes one request at a time."""
    process = Process(["-m", "tests.serving.fake_server", "--port", "0"], JAXSHOP_THREADS="1", JAXSHOP_QUEUE="0")
    process.await_ready()
    yield process
    assert process.stop() == 0


def test_a_full_queue_refuses_and_recovers(narrow: Process) -> None:
    """With its one place taken, the server says 503 and when to come back; cancelling frees the place."""
    body = shop_body(name="samples:dawdle")
    location = narrow.client.post("/v1/schedules?samples=4000", json=body, headers=ASYNC).headers["location"]
    while narrow.client.get(location).json()["status"] == "queued":
        time.sleep(0.02)
    full = narrow.client.post("/v1/schedules", json=shop_body())
    assert (full.status_code, int(full.headers["retry-after"]) >= 1) == (503, True)
    assert narrow.client.delete(location).status_code == 204
    with Client(narrow.url, "the-key-of-the-mes") as client:  # it comes back, as a 503 asks it to
        client.schedule(shop_body())


def test_a_client_that_goes_away_frees_its_place(narrow: Process) -> None:
    """Its work is abandoned after the chunk under way, and the log has it as 499."""
    with pytest.raises(httpx.ReadTimeout):
        narrow.client.post("/v1/schedules?samples=4000", json=shop_body(name="samples:dawdle"), timeout=0.3)
    with Client(narrow.url, "the-key-of-the-mes") as client:  # it waits, as a 503 asks it to
        client.schedule(shop_body())
    statuses = [json.loads(line).get("status") for line in narrow.lines if '"request"' in line]
    assert 499 in statuses


@pytest.mark.thorough
def test_a_body_that_never_comes_is_timed_out(server: Process) -> None:
    """408 after the request timeout; meanwhile others are served."""
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port)) as slow:
        head = "POST /v1/schedules HTTP/1.1\r\nHost: x\r\nX-API-Key: the-key-of-the-mes\r\n"
        head += "Content-Type: application/json\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert server.client.post("/v1/schedules", json=shop_body()).status_code == 200
        slow.settimeout(60)
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")


@pytest.mark.thorough
def test_a_stuck_device_is_answered_for_over_the_wire(fake_process: Start) -> None:
    """The caller gets a rule's schedule in time, the balancer a 503, and a further caller does not wait."""
    process = fake_process(JAXSHOP_STALL_S="1")
    process.await_ready()
    reply = process.client.post("/v1/schedules?samples=0&time_limit_s=2", json=shop_body(name="greedy:hang"))
    assert reply.status_code == 200, reply.text
    assert reply.json()["source"].startswith("fallback:")
    assert process.client.get("/readyz").json() == {"status": "stalled"}
    began = time.monotonic()
    again = process.client.post("/v1/schedules?samples=0", json=shop_body()).json()
    assert again["source"].startswith("fallback:")
    assert time.monotonic() - began < 20


def test_logs_are_json_with_ids_and_without_secrets(fake_process: Start) -> None:
    """Every line is an object; a request's line has its id, route, status and the key's name, never a key."""
    process = fake_process()
    process.await_ready()
    headers = {"X-Request-ID": "order-17", "Authorization": "Bearer the-key-of-the-mes"}
    process.client.post("/v1/schedules?samples=0&seed=1", json=shop_body(name="greedy:raise"), headers=headers)
    process.client.get("/version", headers={"X-API-Key": "a-wrong-secret"})
    process.client.get("/version?key=the-key-of-the-boss")
    assert process.stop() == 0
    entries = [json.loads(line) for line in process.lines]
    mine = [entry for entry in entries if entry.get("request_id") == "order-17"]
    assert {entry["message"] for entry in mine} >= {"request", "fallback", "the search failed"}
    request = next(entry for entry in mine if entry["message"] == "request")
    assert (request["status"], request["caller"], request["path"]) == (200, "planner", "/v1/schedules")
    text = "".join(process.lines)
    assert "key-of-" not in text
    assert "a-wrong-secret" not in text
