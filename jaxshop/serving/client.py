"""A client of the API: `Client("http://127.0.0.1:8000", key).schedule("reference", max_lot_hours=60)`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from jaxshop.shop import Shop, shop_to_json
from jaxshop.sources.report import load_and_report

BUSY = (429, 503)
MARIADB = {"source": "mariadb"}
"""Stands for the shop in the server's database."""


class JaxshopError(Exception):
    """Whatever goes wrong between this client and the server."""


class UnreachableError(JaxshopError):
    """There is no connection to the server, or it broke, or took too long."""


class ServerError(JaxshopError):
    """The server said no; `status` is the HTTP status, `problem` the RFC 9457 document, `kind` its stable name."""

    def __init__(self, status: int, problem: Mapping[str, Any]):
        super().__init__(f"{status}: {problem.get('detail') or problem.get('title') or 'no detail'}")
        self.status, self.problem = status, dict(problem)
        self.kind = str(problem.get("type", "")).rpartition(":")[2]


class RefusedError(ServerError):
    """The request has faults (400 to 422); `errors` lists path and message of each."""

    @property
    def errors(self) -> list[dict[str, str]]:
        """Path and message of each fault."""
        return list(self.problem.get("errors") or ())


class ForbiddenError(ServerError):
    """No key, an unknown one, or one whose role may not do this."""


class NotFoundError(ServerError):
    """There is no such request (any more)."""


class BusyError(ServerError):
    """The server was busy, or not ready, or its database away, for as long as the client was to wait."""


KINDS = {401: ForbiddenError, 403: ForbiddenError, 404: NotFoundError, 429: BusyError, 503: BusyError}


def error_of(status: int, problem: Mapping[str, Any]) -> ServerError:
    """The error that stands for a status."""
    other = RefusedError if 400 <= status < 500 and status != 499 else ServerError
    return KINDS.get(status, other)(status, problem)


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
            UnreachableError: there is no connection.
            ShopError: the shop could not be loaded.
        """
        return self._ask("POST", "/v1/schedules", json=_document(shop), params=options)

    def submit(
        self,
        shop: Shop | Mapping[str, Any] | str | os.PathLike[str],
        *,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Submitted:
        """Ask for a schedule in the background, to follow the search and to stop it; takes what `schedule` takes.

        With the same idempotency key and the same request again this is the request of then, whatever became of it.
        """
        return self._submit("/v1/schedules", _document(shop), options, idempotency_key)

    def submitted(self, id: str) -> Submitted:
        """A request in the background, by its id: of this client or of an earlier one."""
        return Submitted(self, f"/v1/schedules/{id}")

    def wait(self, id: str, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait for the reply of a request in the background; UnreachableError where it takes longer."""
        return self.submitted(id).result(timeout_s)

    def events(self, id: str) -> Iterator[dict[str, Any]]:
        """Yield how far a request in the background is, until it has ended."""
        return self.submitted(id).events()

    def cancel(self, id: str) -> None:
        """Cancel a request in the background, or have its result forgotten."""
        self.submitted(id).forget()

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield the requests in the background that this key has asked for, the latest first."""
        before: dict[str, Any] | None = {}
        while before is not None:
            page = self._ask("GET", "/v1/schedules", params=before)
            yield from page["schedules"]
            before = {"before": page["next"]} if page["next"] else None

    def release(self, id: str, replaces: str | None = None) -> dict[str, Any]:
        """Release a plan that is stored in the server's database; RefusedError where another one was quicker."""
        params = {} if replaces is None else {"replaces": replaces}
        return self._ask("POST", f"/v1/schedules/{id}:release", params=params)

    def verify(
        self, shop: Shop | Mapping[str, Any] | str | os.PathLike[str], schedule: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what the server's verifier finds: valid, violations, violation_count, makespan_hours."""
        body = {"shop": _document(shop), "schedule": dict(schedule)}
        return self._ask("POST", "/v1/schedules:verify", json=body)

    def reschedule(
        self,
        shop: Shop | Mapping[str, Any] | str | os.PathLike[str],
        schedule: Mapping[str, Any] | None = None,
        now: float | None = None,
        *,
        write_back: bool = False,
        **told: Any,
    ) -> dict[str, Any]:
        """Plan anew what is left of a schedule at an hour.

        Args:
            shop: as `Client.schedule` takes it; or `MARIADB`, for the plan that is released in the server's database.
            schedule: the plan under way, of that shop; None with `MARIADB`.
            now: hours since the plan start; None with `MARIADB`: by the clock.
            write_back: store the new plan there as a draft.
            **told: the other keys of `POST /v1/reschedules`.
        """
        body = _rescheduling(shop, schedule, now, told)
        return self._ask("POST", "/v1/reschedules", json=body, params=_given(write_back=write_back))

    def submit_reschedule(
        self,
        shop: Shop | Mapping[str, Any] | str | os.PathLike[str],
        schedule: Mapping[str, Any] | None = None,
        now: float | None = None,
        *,
        write_back: bool = False,
        webhook: str | None = None,
        idempotency_key: str | None = None,
        **told: Any,
    ) -> Submitted:
        """Plan anew in the background, as `submit` does it; takes what `reschedule` takes."""
        body, options = _rescheduling(shop, schedule, now, told), _given(write_back=write_back, webhook=webhook)
        return self._submit("/v1/reschedules", body, options, idempotency_key)

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

    def _submit(self, path: str, body: Any, options: Mapping[str, Any], idempotency_key: str | None) -> Submitted:
        headers = {"Prefer": "respond-async"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return self.submitted(self._ask("POST", path, json=body, params=options, headers=headers)["id"])

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        give_up = time.monotonic() + self._timeout
        while True:
            with _reached():
                response = self._http.request(method, path, **request)
            if response.is_success:
                return response.json() if response.content else {}
            pause = _seconds(response.headers.get("Retry-After"))
            if response.status_code not in BUSY or pause is None or time.monotonic() + pause > give_up:
                raise error_of(response.status_code, _problem(response))
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
        with _reached(), self.client._http.stream("GET", f"{self.path}/events") as response:
            if not response.is_success:
                response.read()
                raise error_of(response.status_code, _problem(response))
            name = ""
            for line in response.iter_lines():
                field, _, value = line.partition(": ")
                name = value if field == "event" else name
                if field == "data" and name == "progress":
                    yield json.loads(value)

    def stop(self) -> None:
        """End the search here; the best schedule so far becomes the result."""
        self.client._ask("POST", f"{self.path}:stop")

    @property
    def id(self) -> str:
        """Its name on the server, by which another client finds it again."""
        return self.path.rpartition("/")[2]

    def result(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait for the reply, as `Client.schedule` returns it.

        Raises:
            ServerError: there will be none.
            UnreachableError: there was none in time, or there is no connection.
        """
        began = time.monotonic()
        while True:
            state = self.client._ask("GET", self.path)
            if state["result"] is not None:
                return state["result"]
            if state["error"] is not None:
                raise error_of(state["error"]["status"], state["error"])
            if timeout_s is not None and time.monotonic() - began > timeout_s:
                raise UnreachableError(f"{self.path}: {state['status']}, no result within {timeout_s:g} s")
            time.sleep(0.1)

    def forget(self) -> None:
        """Cancel it, or have its result forgotten."""
        self.client._ask("DELETE", self.path)


@contextmanager
def _reached() -> Iterator[None]:
    """Turn what the connection raises into our own."""
    try:
        yield
    except httpx.HTTPError as error:
        raise UnreachableError(str(error) or type(error).__name__) from error


def _document(shop: Shop | Mapping[str, Any] | str | os.PathLike[str]) -> dict[str, Any]:
    if isinstance(shop, Mapping):
        return dict(shop)
    return shop_to_json(shop if isinstance(shop, Shop) else load_and_report(os.fspath(shop)))


def _rescheduling(
    shop: Shop | Mapping[str, Any] | str | os.PathLike[str],
    schedule: Mapping[str, Any] | None,
    now: float | None,
    told: Mapping[str, Any],
) -> dict[str, Any]:
    """The body of `POST /v1/reschedules`."""
    plan = MARIADB if shop == MARIADB else {"shop": _document(shop), "schedule": dict(schedule or {})}
    return plan | _given(now=now) | dict(told)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None and value is not False}


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
