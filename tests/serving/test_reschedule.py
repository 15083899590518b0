"""`POST /v1/reschedules`: the answers of `jaxshop reschedule`, in this process and over a socket."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from jaxshop.schedule import from_json, to_json, verify
from jaxshop.serving import reschedule_schemas as schemas
from jaxshop.serving.client import Client
from jaxshop.shop import parse_shop, shop_to_json, split_lots
from tests.underway import planned, presses

from .conftest import Process
from .replies import conforms, problem

STOPS = {"now": 2.5, "down": [{"machine": "P1", "from": 2.5, "to": 5}]}


def body(**told: Any) -> dict[str, Any]:
    """A request about the plan of the two presses."""
    return {"shop": shop_to_json(presses()), "schedule": to_json(planned(presses())), **told}


def test_a_press_stops(client: httpx.Client) -> None:
    """By hand: b1 goes to the other press; the schedule is of the shop in the reply, and valid."""
    reply = conforms(client.post("/v1/reschedules", json=body(**STOPS)), schemas.RescheduleReply)
    assert (reply["makespan_hours"], reply["proven_optimal"], reply["late"]) == (8.5, True, [])
    assert (reply["changes"]["moved"], reply["changes"]["machine_changed"]) == (2, 1)
    plan = split_lots(parse_shop(reply["shop"], "reply"), None)
    assert verify(plan, from_json(reply["schedule"], "reply")) == []


def test_the_example_is_accepted(client: httpx.Client) -> None:
    """The document's example gets an answer."""
    content = client.get("/openapi.json").json()["paths"]["/v1/reschedules"]["post"]["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        conforms(client.post("/v1/reschedules", json=example["value"]), schemas.RescheduleReply)


@pytest.mark.parametrize(
    ("told", "path", "said"),
    [
        ({}, "now", "missing"),
        ({"now": 7}, "now", "must be from 0 on"),
        ({"now": 1, "freeze_hours": -1}, "freeze_hours", "must be >= 0"),
        ({"now": 1, "stability": -1}, "stability", "must be >= 0"),
        ({"now": 1, "seed": 1.5}, "seed", "integer"),
        ({"now": 1, "time_limit_s": 10_000}, "time_limit_s", "must be at most"),
        ({"now": 1, "down": [{"machine": "P9", "from": 1, "to": 2}]}, "down", "unknown machine 'P9'"),
        ({"now": 1, "down": [{"machine": "P1", "from": 2, "to": 1}]}, "down", "must end after it begins"),
        ({"now": 1, "drop": ["Z"]}, "drop", "unknown job 'Z'"),
        ({"now": 1, "more": 1}, "more", "unknown key"),
        ({"now": 1, "schedule": {}}, "schedule.format", "missing"),
        ({"now": 1, "shop": None}, "shop", "missing"),
    ],
)
def test_bad_input_is_named(client: httpx.Client, told: dict[str, Any], path: str, said: str) -> None:
    """422 with path and message."""
    (fault, *_) = problem(client.post("/v1/reschedules", json=body() | told), 422)["errors"]
    assert fault["path"] == path
    assert said in fault["message"]


def test_a_schedule_of_another_shop(client: httpx.Client) -> None:
    """422, as the verifier says."""
    asked = body(now=1)
    asked["schedule"]["shop"] = "0" * 64
    assert "The schedule is for shop" in problem(client.post("/v1/reschedules", json=asked), 422)["detail"]


def test_the_client_plans_anew(server: Process) -> None:
    """Over a real socket, by `Client.reschedule`."""
    with Client(server.url, "the-key-of-the-mes") as caller:
        told = {"down": STOPS["down"], "time_limit_s": 0}
        reply = caller.reschedule(presses(), to_json(planned(presses())), 2.5, **told)
    schemas.RescheduleReply.model_validate(reply)
    assert reply["makespan_hours"] == 8.5
