"""The server's asynchronous requests, kept in MariaDB by the code that keeps them in SQLite."""

from __future__ import annotations

import time

import pytest

from jaxshop.serving.store import Record, Store, StoreError, open_store, requests
from jaxshop.sources.mariadb.writer import init
from jaxshop.support.errors import ShopError


def record(id: str, key: str | None = None, owner: str = "ann") -> Record:
    """A request."""
    return Record(id, owner, b"{}", b"{}" * 1000, "d", time.time(), key)


def test_requests_are_kept_in_the_database_where_there_is_one(site) -> None:
    """By itself, once the table is there; a killed server's go to the next; a result is stored once."""
    with pytest.raises(ShopError, match="requests: the writer sees no such table: make it with `jaxshop db upgrade`"):
        open_store("auto", 60)
    init(results_only=True)
    killed, heir = open_store("auto", 0.05), open_store("auto", 60)
    first = killed.add(record("1", "k"))
    assert (killed.add(record("2", "k")), killed.add(record("3", "K")).id) == (first, "3")
    time.sleep(0.1)
    assert [taken.id for taken in heir.claim(1)] == ["1"]
    done = Record(**{**vars(first), "status": "done", "result": b"\xff" * 70_000, "ended_at": time.time()})
    assert (killed.finish(done), heir.finish(done), heir.finish(done)) == (False, True, False)
    assert (heir.get("1").result, heir.get("1").body) == (done.result, b"")
    assert [kept.id for kept in heir.listed("ann", 5)] == ["3", "1"]
    assert (killed.beat({}), heir.beat({})) == ({"3": False}, {})
    heir.expire(time.time() + 1, 5)
    assert [kept.id for kept in heir.listed("ann", 5)] == ["3"]


def test_the_table_is_what_the_code_says(site) -> None:
    """Names, order and whether a value may be missing, in schema.sql and in the code."""
    init(results_only=True)
    made = site.sql(
        "SELECT column_name, is_nullable FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name = 'requests' ORDER BY ordinal_position"
    )
    assert made == [(c.name, "YES" if c.nullable else "NO") for c in requests.columns]


def test_a_database_that_is_away_is_said_so(spare, point_at) -> None:
    """Every question to the store is a StoreError, which the server answers with a 503, and works again later."""
    point_at(spare, "tcp")
    init(results_only=True)
    store: Store = open_store("mariadb", 60)
    store.add(record("1"))
    spare.kill()
    with pytest.raises(StoreError):
        store.get("1")
    spare.start()
    assert store.get("1").id == "1"
