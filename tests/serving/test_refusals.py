"""What the API refuses, and that it says where the fault is."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.plant_faults import FAULTS, words_for
from tests.shops import shop_body

from .replies import problem

Serve = Callable[..., httpx.Client]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda shop: shop.update(colour="red"), "colour"),
        (lambda shop: shop["jobs"][2]["operations"][1].update(sets=1), "jobs[2].operations[1].sets"),
        (
            lambda shop: shop["jobs"][2]["operations"][1]["alternatives"].update(M9=1),
            "jobs[2].operations[1].alternatives.M9",
        ),
        (lambda shop: shop["jobs"][0].update(release=-1), "jobs[0].release"),
        (lambda shop: shop["machines"][1].update(id="M0"), "machines[1].id"),
        (lambda shop: shop.update(setups=[1]), "setups"),
        (lambda shop: shop.pop("name"), "name"),
    ],
)
def test_a_fault_in_the_shop_comes_with_its_path(client: httpx.Client, change: Callable[[Any], Any], path: str) -> None:
    """A 422 lists path and message of what is wrong."""
    body = copy.deepcopy(shop_body())
    change(body)
    errors = problem(client.post("/v1/schedules", json=body), 422)["errors"]
    assert path in [error["path"] for error in errors]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_plants_rules_comes_with_its_path(client: httpx.Client, name: str) -> None:
    """A 422 for all that the command refuses."""
    data, words = FAULTS[name]
    body = json.dumps(data)
    refused = problem(client.post("/v1/schedules", content=body, headers={"Content-Type": "application/json"}), 422)
    said = [": ".join(filter(None, (error["path"], error["message"]))) for error in refused["errors"]]
    assert any(words_for(body, words) in each for each in said)


@pytest.mark.parametrize(
    ("body", "paths"),
    [({}, ["shop", "schedule"]), ({"shop": {}, "scedule": {}}, ["scedule", "schedule"]), ([], [""])],
)
def test_a_pair_that_is_none_is_named(client: httpx.Client, body: Any, paths: list[str]) -> None:
    """Each key of shop and schedule that is missing, or that is no key."""
    errors = problem(client.post("/v1/schedules:verify", json=body), 422)["errors"]
    assert [error["path"] for error in errors] == paths


def test_every_fault_is_listed(client: httpx.Client) -> None:
    """Two faults, two entries."""
    body = shop_body()
    body["jobs"][0]["release"] = body["jobs"][1]["release"] = -1
    errors = problem(client.post("/v1/schedules", json=body), 422)["errors"]
    assert [error["path"] for error in errors] == ["jobs[0].release", "jobs[1].release"]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "[]",
            "null",
            "3",
            '"shop"',
            "\x00",
            '{"a": 1} x',
            '{"a": 1, "a": 2}',
            "[" * 100_000,
            "9" * 10_000,
        ),
        *('{"format": NaN}', '{"format": -Infinity}'),
    ],
)
def test_what_is_no_shop_file_is_refused(client: httpx.Client, text: str) -> None:
    """Whatever the body holds, the answer is a 422 that says why."""
    response = client.post("/v1/schedules", content=text, headers={"Content-Type": "application/json"})
    assert problem(response, 422)["errors"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", '"2"', "true", "null"])
def test_numbers_that_are_none_are_refused_where_they_stand(client: httpx.Client, number: str) -> None:
    """NaN, infinities, numbers beyond any plan, texts and booleans are no hours."""
    body = shop_body()
    body["jobs"][1]["operations"][0]["alternatives"]["M1"] = "here"
    text = json.dumps(body).replace('"here"', number)
    response = client.post("/v1/schedules", content=text, headers={"Content-Type": "application/json"})
    (error,) = problem(response, 422)["errors"]
    assert "M1" in error["path"] or "is not a number" in error["message"]


def test_not_utf8_and_other_media_types_are_refused(client: httpx.Client) -> None:
    """Bytes that are no text get a 422, bodies of another type a 415."""
    bad = client.post("/v1/schedules", content=b"\xff\xfe{}", headers={"Content-Type": "application/json"})
    problem(bad, 422)
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        problem(client.post("/v1/schedules", content=b"{}", headers={"Content-Type": kind}), 415)


@pytest.mark.parametrize(
    "query",
    [
        *("sample=3", "samples=-1", "samples=1.5", "samples=x", "seed=-1", "seed=4294967296", "samples=5000"),
        *("max_lot_hours=0", "max_lot_hours=nan", "max_lot_hours=inf", "max_lot_hours=1e9", "max_lot_hours="),
        *("time_limit_s=0", "time_limit_s=-1", "time_limit_s=inf", "time_limit_s=49", "target_hours=nan"),
        *("max_lot_hours=0.05", "max_lot_hours=0.09"),
    ],
)
def test_options_are_strict(client: httpx.Client, query: str) -> None:
    """Unknown options and values out of range are refused by name; so are lot sizes that set-ups alone reach."""
    document = problem(client.post(f"/v1/schedules?{query}", json=shop_body()), 422)
    assert query.partition("=")[0] in {error["path"].removeprefix("query.") for error in document["errors"]}


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/schedules"), ("GET", "/v1/schedules")])
def test_an_unknown_option_is_answered_with_the_known_ones(client: httpx.Client, method: str, path: str) -> None:
    """The message lists what the route takes."""
    told = problem(client.request(method, f"{path}?sample=3", json=shop_body()), 422)["errors"][0]
    known = {
        "POST": "max_lot_hours, samples, seed, target_hours, time_limit_s, work, write_back",
        "GET": "before, limit",
    }
    assert told["path"] == "query.sample"
    assert told["message"].startswith(f"unknown option; the known ones are {known[method][:12]}")


def test_what_is_no_gzip_is_refused(client: httpx.Client) -> None:
    """Bytes that are none, a stream that ends early, another coding, and what unpacks to more than a body may have."""
    kind = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    whole = gzip.compress(json.dumps(shop_body()).encode())
    for content in (b"{}", whole[:-9]):
        assert "gzip" in problem(client.post("/v1/schedules", content=content, headers=kind), 422)["detail"]
    problem(client.post("/v1/schedules", content=whole, headers=kind | {"Content-Encoding": "br"}), 415)
    bomb = gzip.compress(b" " * 2**25)
    assert len(bomb) < 2**16
    problem(client.post("/v1/schedules", content=bomb, headers=kind), 413)


def test_limits_are_named(client: httpx.Client) -> None:
    """Too large a shop, too many lots, too short a time: the 422 says what would do."""
    assert "256" in problem(client.post("/v1/schedules?samples=1", json=shop_body(jobs=65)), 422)["detail"]
    large = client.post("/v1/schedules", json=shop_body(jobs=65))
    assert (large.status_code, large.json()["source"]) == (200, "search:auto")  # searches need no size
    short = problem(client.post("/v1/schedules?time_limit_s=0.0001", json=shop_body()), 422)
    assert short["type"].endswith("time-limit-too-short")
    size = client.get("/v1/models").json()["models"][0]["sizes"][0]
    assert f"at least {size['shortest_time_limit_s']:g}" in short["detail"]
    for name, samples in (("shortest_time_limit_s", ""), ("shortest_time_limit_with_samples_s", "&samples=1")):
        asked = client.post(f"/v1/schedules?time_limit_s={size[name]}{samples}", json=shop_body())
        assert asked.status_code == 200


def test_a_long_body_is_refused(serve: Serve) -> None:
    """413 for an announced length at once, and for a chunked body as soon as it is too long."""
    client = serve(max_body_mb=0.01)
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/schedules", content=b" " * 20_000, headers=headers), 413)
    problem(client.post("/v1/schedules", content=(b" " * 1000 for _ in range(20)), headers=headers), 413)
    assert client.post("/v1/schedules", json=shop_body()).status_code == 200
