"""A client of the API: `Client("http://127.0.0.1:8000", key).schedule("reference", max_lot_hours=60)`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from jaxshop.shop import Shop, shop_to_json
from jaxshop.sources.report import load_and_report

BUSY = (429, 503)


class ServerError(Exception):
    """The server said no; `status` is the HTTP status, `problem` the RFC 9457 document."""

    def __init__(self, status: int, problem: Mapping[str, Any]):
        super().__init__(f"{status}: {problem.get('detail') or problem.get('title') or 'no detail'}")
        self.status, self.problem = status, dict(problem)


class Client:
    """Asks a jaxshop server for schedules; usable as a context manager."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 120.0,
        transport: httpx.BaseTransport | None = None,
    ):
        """Make a client.

        Args:
            url: of the server, such as `http://127.0.0.1:8000`.
            key: an API key; None for a server without authentication.
            timeout_s: of a request; a busy server is asked again, as it wishes, for as long as that.
            transport: for tests.
        """
        self._timeout = timeout_s
        headers = {} if key is None else {"X-API-Key": key}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)

    def schedule(self, shop: Shop | Mapping[str, Any] | str | os.PathLike[str], **options: Any) -> dict[str, Any]:
        """Return the server's reply: schedule, kpis, source, verification, model, seed, samples_done.

        Args:
            shop: a Shop, a shop file's decoded JSON, or whatever `load_shop` takes: `reference`, a path; the data
                report of one from the database goes to stderr.
            **options: `max_lot_hours`, `samples`, `seed`, `time_limit_s`, `work`, `target_hours`.

        Raises:
            ServerError: the server refused or failed.
            httpx.HTTPError: there is no connection.
            ShopError: the shop could not be loaded.
        """
        return self._ask("POST", "/v1/schedules", json=_document(shop), params=options)

    def submit(self, shop: Shop | Mapping[str, Any] | str | os.PathLike[str], **options: Any) -> Submitted:
        """Ask for a schedule in the background, to follow the search and to stop it; takes what `schedule` takes."""
        headers = {"Prefer": "respond-async"}
        accepted = self._ask("POST", "/v1/schedules", json=_document(shop), params=options, headers=headers)
        return Submitted(self, f"/v1/schedules/{accepted['id']}")

    def verify(
        self, shop: Shop | Mapping[str, Any] | str | os.PathLike[str], schedule: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what the server's verifier finds: valid, violations, violation_count, makespan_hours."""
        body = {"shop": _document(shop), "schedule": dict(schedule)}
        return self._ask("POST", "/v1/schedules:verify", json=body)

    def reschedule(
        self,
        shop: Shop | Mapping[str, Any] | str | os.PathLike[str],
        schedule: Mapping[str, Any],
        now: float,
        **told: Any,
    ) -> dict[str, Any]:
        """Plan anew what is left of a schedule at an hour; `told` are the other keys of `POST /v1/reschedules`."""
        body = {"shop": _document(shop), "schedule": dict(schedule), "now": now, **told}
        return self._ask("POST", "/v1/reschedules", json=body)

    def models(self) -> list[dict[str, Any]]:
        """Return the models in use, with the sizes that they take."""
        return self._ask("GET", "/v1/models")["models"]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        give_up = time.monotonic() + self._timeout
        while True:
            response = self._http.request(method, path, **request)
            if response.is_success:
                return response.json() if response.content else {}
            pause = _seconds(response.headers.get("Retry-After"))
            if response.status_code not in BUSY or pause is None or time.monotonic() + pause > give_up:
                raise ServerError(response.status_code, _problem(response))
            time.sleep(pause)


@dataclass(frozen=True)
class Submitted:
    """A request that the server works on in the background."""

    client: Client
    path: str
    """Of its status resource."""

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield how far it is, once for each better schedule at least, until it has ended.

        `objective_hours`, `lower_bound_hours`, `gap_percent`, `source` and `seconds` are of the best so far, None as
        long as there is none.
        """
        with self.client._http.stream("GET", f"{self.path}/events") as response:
            if not response.is_success:
                response.read()
                raise ServerError(response.status_code, _problem(response))
            name = ""
            for line in response.iter_lines():
                field, _, value = line.partition(": ")
                name = value if field == "event" else name
                if field == "data" and name == "progress":
                    yield json.loads(value)

    def stop(self) -> None:
        """End the search here; the best schedule so far becomes the result."""
        self.client._ask("POST", f"{self.path}:stop")

    def result(self) -> dict[str, Any]:
        """Wait for the reply, as `Client.schedule` returns it; raises ServerError where there will be none."""
        while True:
            state = self.client._ask("GET", self.path)
            if state["result"] is not None:
                return state["result"]
            if state["error"] is not None:
                raise ServerError(state["error"]["status"], state["error"])
            time.sleep(0.1)

    def forget(self) -> None:
        """Cancel it, or have its result forgotten."""
        self.client._ask("DELETE", self.path)


def _document(shop: Shop | Mapping[str, Any] | str | os.PathLike[str]) -> dict[str, Any]:
    if isinstance(shop, Mapping):
        return dict(shop)
    return shop_to_json(shop if isinstance(shop, Shop) else load_and_report(os.fspath(shop)))


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:  # a date, which this server never sends
        return None


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"title": response.reason_phrase, "detail": response.text[:500]}
