"""What the tests in a browser share: a small plan, and a server that answers as the real one does."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jaxshop.serving
import jaxshop.views
from jaxshop.bounds import certify
from jaxshop.schedule import Row, Schedule, from_json, kpis, to_json, verify
from jaxshop.serving.export_schemas import ExportOptions
from jaxshop.serving.exporter import exported
from jaxshop.serving.importer import imported
from jaxshop.serving.middleware import PAGE_POLICY
from jaxshop.serving.problems import Problem, refusing
from jaxshop.serving.replanner import answer, read_request
from jaxshop.shop import LotPlan, fingerprint, parse_shop, shop_to_json, split_lots
from tests.shops import hostile_shop

STATIC, CHART = (Path(room.__file__).parent / "static" for room in (jaxshop.serving, jaxshop.views))
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
KEY = "s3cret"


def make_schedule(plan: LotPlan, offset: int = 0) -> Schedule:
    """Dispatch step after step to the machine that is free first; `offset` turns the order of the lots."""
    free = {machine.id: machine.available_from for machine in plan.shop.machines}
    lots = plan.lots[offset:] + plan.lots[:offset]
    ready = {(lot.job, lot.index): lot.release for lot in lots}
    rows = []
    for step in range(max(len(lot.operations) for lot in lots)):
        for lot in (lot for lot in lots if step < len(lot.operations)):
            op = lot.operations[step]
            machine = min(op.alternatives, key=free.__getitem__)
            start = max(free[machine], ready[lot.job, lot.index])
            end = start + op.setup + op.alternatives[machine]
            rows.append(Row(lot.job, lot.index, op.id, machine, start, end))
            free[machine] = ready[lot.job, lot.index] = end
    return Schedule(fingerprint(plan.shop), plan.max_lot_hours, tuple(rows))


def found(number: int) -> dict[str, object]:
    """What a search tells of the schedule of that number: it takes an hour less than the one before."""
    hours = 20.0 - number
    best = {"objective_hours": hours, "lower_bound_hours": 16.0, "gap_percent": 100 * (hours / 16 - 1)}
    return best | {"makespan_hours": hours, "source": "search:improve", "seconds": number / 10}


class StubServer(ThreadingHTTPServer):
    """Answers what the page asks for; notes each request, and pauses in mid-work while `go` is cleared."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.requests: list[tuple[str, str, str | None]] = []
        self.go = threading.Event()
        self.go.set()
        self.results: list[dict] = []
        self.asked: list[dict] = []
        self.samples: int | None = 4
        self.needs_key = True
        self.rejected: list[dict] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a page that went away before it had its answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """The routes of the page, over plain HTTP/1.0."""

    server: StubServer

    def do_GET(self) -> None:
        """Static files, the demo, and the resource of an asynchronous request."""
        path = self._note()
        if path == "/" or path.startswith("/static/"):
            name = path.removeprefix("/static/") if path != "/" else "index.html"
            file = next((f for f in (STATIC / name, CHART / name) if f.exists()), STATIC / name)
            return self._send(file.read_bytes(), TYPES[file.suffix], headers={"Content-Security-Policy": PAGE_POLICY})
        if path == "/livez":
            return self._json({"status": "alive", "needs_key": self.server.needs_key})
        if self._refused():
            return None
        if path == "/v1/demo-shop":
            return self._json(shop_to_json(hostile_shop(name="demo")))
        if path.endswith("/events"):
            return self._events()
        if path.endswith("/best"):
            return self._json(found(2) | {"schedule": self.server.results[int(path.split("/")[3])]["schedule"]})
        result = self.server.results[int(path.rsplit("/", 1)[1])]
        return self._json({"status": "done", "error": None, "result": result})

    def do_POST(self) -> None:
        """Schedule, or verify."""
        path = self._note()
        sent = self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = json.loads(sent or "null")
        if self._refused():
            return None
        if path.endswith(":stop"):
            self.server.go.set()
            return self._json({"stopped": True}, 202)
        try:
            with refusing("body"):
                if path == "/v1/schedules:verify":
                    shop, schedule = parse_shop(body["shop"], "shop"), from_json(body["schedule"], "schedule")
                    plan = split_lots(shop, schedule.max_lot_hours)
                    violations = verify(plan, schedule)
                    reply = {"valid": not violations, "violations": violations, "fingerprint": fingerprint(shop)}
                    reply["lower_bound_hours"] = certify(plan).value / 3600
                    return self._json(reply)
                if path == "/v1/imports":
                    return self._send(imported(sent), "application/json")
                if path == "/v1/exports":
                    shop, schedule = parse_shop(body["shop"], "shop"), from_json(body["schedule"], "schedule")
                    options = ExportOptions.model_validate(dict(parse_qsl(urlsplit(self.path).query)))
                    file = exported(split_lots(shop, schedule.max_lot_hours), schedule, options)
                    return self._send(file.content, file.kind)
                if path == "/v1/reschedules":
                    self.server.asked.append(body)
                    asked = read_request(body, "body", lambda shop, size, _: split_lots(shop, size), 60)
                    return self._accepted(answer(asked, 0.0, 1, lambda: False))
                query = parse_qs(urlsplit(self.path).query)
                size = query.get("max_lot_hours")
                self.server.asked.append(body)
                plan = split_lots(parse_shop(body, "body"), float(size[0]) if size else None)
        except Problem as problem:
            return self._problem(422, "Unprocessable Content", problem.detail, problem.errors)
        schedule = make_schedule(plan, offset=len(self.server.results))
        return self._accepted(
            {
                "schedule": to_json(schedule),
                "kpis": kpis(plan, schedule, int(0.9 * schedule.makespan)),
                "source": "policy:samples",
                "verification": {"valid": True, "violations": [], "rejected_attempts": self.server.rejected},
                "seed": 0,
                "samples_done": 4,
            }
        )

    def _accepted(self, result: dict) -> None:
        self.server.results.append(result)
        self._json({"status": "queued"}, 202, {"Location": f"/v1/schedules/{len(self.server.results) - 1}"})

    def do_DELETE(self) -> None:
        """Cancel."""
        self._note()
        self._send(b"", "text/plain", 204)

    def _events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for done in range(1, 5):
            head = {"status": "running", "samples": self.server.samples, "limit_s": 60.0}
            data = json.dumps(head | found(done) | {"samples_done": done, "proven_optimal": done == 4})
            self.wfile.write(f"event: progress\r\ndata: {data}\r\n\r\n".encode())
            if done == 2:
                self.server.go.wait(60)
        self.wfile.write(b": ping\n\nevent: done\ndata: {}\n\n")

    def _note(self) -> str:
        self.server.requests.append((self.command, self.path, self.headers.get("X-API-Key")))
        return urlsplit(self.path).path

    def _refused(self) -> bool:
        if not self.server.needs_key or self.headers.get("X-API-Key") == KEY:
            return False
        self._problem(401, "Unauthorized", "an API key is needed")
        return True

    def _problem(self, status: int, title: str, detail: str, errors: list[dict] | None = None) -> None:
        document = {
            "title": title,
            "status": status,
            "detail": detail,
            "errors": errors,
            "request_id": "r-17",
        }
        self._send(json.dumps(document).encode(), "application/problem+json", status)

    def _json(self, data: object, status: int = 200, headers: dict | None = None) -> None:
        self._send(json.dumps(data).encode(), "application/json", status, headers)

    def _send(self, body: bytes, kind: str, status: int = 200, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""


@contextmanager
def stub_server() -> Iterator[StubServer]:
    """Run the server in a thread."""
    server = StubServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
