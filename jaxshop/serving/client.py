"""A client of the API: `Client("http://127.0.0.1:8000", key).schedule("reference", max_lot_hours=60)`."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from jaxshop.serving.client_errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    JaxshopError,
    NotFoundError,
    RefusedError,
    ServerError,
    UnreachableError,
    error_of,
    problem_of,
    reached,
)
from jaxshop.shop import Shop, shop_to_json
from jaxshop.sources.report import load_and_report

__all__ = [
    "MARIADB",
    "BusyError",
    "Client",
    "ConflictError",
    "ForbiddenError",
    "JaxshopError",
    "NotFoundError",
    "RefusedError",
    "ServerError",
    "Submitted",
    "UnreachableError",
]

BUSY = (429, 503)
MARIADB = {"source": "mariadb"}
"""Stands for the shop in the server's database."""


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

    def best(self, id: str) -> dict[str, Any]:
        """Return the best schedule so far of a request in the background; see `Submitted.best`."""
        return self.submitted(id).best()

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
        """Release a plan that is stored in the server's database; ConflictError where another one was quicker."""
        params = {} if replaces is None else {"replaces": replaces}
        return self._ask("POST", f"/v1/schedules/{id}:release", params=params)

    def verify(
        self,
        shop: Shop | Mapping[str, Any] | str | os.PathLike[str],
        schedule: Mapping[str, Any],
        *,
        bound: bool = False,
    ) -> dict[str, Any]:
        """Return what the verifier finds: valid, violations, makespan_hours; with `bound` also lower_bound_hours."""
        body = {"shop": _document(shop), "schedule": dict(schedule)}
        return self._ask("POST", "/v1/schedules:verify", json=body, params={"bound": bound})

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

    def import_tables(
        self,
        files: Iterable[str | os.PathLike[str]] | Mapping[str, bytes],
        name: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Make a shop file of tables; returns `shop`, `fingerprint`, `ignored_columns` and `in_the_past`.

        Args:
            files: paths of CSV and XLSX files, orders, routes and machines at least; or their bytes by name.
            name: of the shop; else that of the first file.
            **options: `plan_start`, `timezone`, `columns`, `separator`, `encoding`, `decimal`, `skip_sheets`.

        Raises:
            RefusedError: `errors` holds every fault, with file, sheet, row and column.
            OSError: a file cannot be read.
        """
        data = files if isinstance(files, Mapping) else {Path(each).name: Path(each).read_bytes() for each in files}
        packed = {each: base64.b64encode(content).decode() for each, content in data.items()}
        return self._ask("POST", "/v1/imports", json={"files": packed, "options": options} | _given(name=name))

    def export(
        self,
        shop: Shop | Mapping[str, Any] | str | os.PathLike[str],
        schedule: Mapping[str, Any],
        format: str = "xlsx",
        timezone: str | None = None,
    ) -> bytes:
        """Return a schedule as a file for other programs.

        Args:
            shop: as `Client.schedule` takes it.
            schedule: a valid one of that shop.
            format: `xlsx` for a workbook of dispatch lists, `csv` for a zip of them, `ical` for a zip of calendars.
            timezone: of all moments; else the plant's.
        """
        body = {"shop": _document(shop), "schedule": dict(schedule)}
        return self._answer("POST", "/v1/exports", json=body, params=_given(format=format, timezone=timezone)).content

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
        response = self._answer(method, path, **request)
        return response.json() if response.content else {}

    def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        give_up = time.monotonic() + self._timeout
        while True:
            with reached():
                response = self._http.request(method, path, **request)
            if response.is_success:
                return response
            pause = _seconds(response.headers.get("Retry-After"))
            if response.status_code not in BUSY or pause is None or time.monotonic() + pause > give_up:
                raise error_of(response.status_code, problem_of(response))
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
        with reached(), self.client._http.stream("GET", f"{self.path}/events") as response:
            if not response.is_success:
                response.read()
                raise error_of(response.status_code, problem_of(response))
            name = ""
            for line in response.iter_lines():
                field, _, value = line.partition(": ")
                name = value if field == "event" else name
                if field == "data" and name == "progress":
                    yield json.loads(value)

    def best(self) -> dict[str, Any]:
        """Return the best schedule so far, verified: `schedule`, and what `events` tell of it.

        Raises:
            ConflictError: it has none so far, or another server works on it.
        """
        return self.client._ask("GET", f"{self.path}/best")

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
