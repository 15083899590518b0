"""A client of the API: `Client("http://127.0.0.1:8000", key).schedule("reference", max_lot_hours=60)`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
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
            **options: `max_lot_hours`, `samples`, `seed`, `time_limit_s`, `target_hours`.

        Raises:
            ServerError: the server refused or failed.
            httpx.HTTPError: there is no connection.
            ShopError: the shop could not be loaded.
        """
        return self._ask("POST", "/v1/schedules", json=_document(shop), params=options)

    def verify(
        self, shop: Shop | Mapping[str, Any] | str | os.PathLike[str], schedule: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what the server's verifier finds: valid, violations, violation_count, makespan_hours."""
        body = {"shop": _document(shop), "schedule": dict(schedule)}
        return self._ask("POST", "/v1/schedules:verify", json=body)

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
                return response.json()
            pause = _seconds(response.headers.get("Retry-After"))
            if response.status_code not in BUSY or pause is None or time.monotonic() + pause > give_up:
                raise ServerError(response.status_code, _problem(response))
            time.sleep(pause)


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
