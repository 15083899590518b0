"""The plant's own rules in the shop file: what it may say of them, and the fingerprint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop import load_shop
from jaxshop.shop import (
    Calendar,
    Changeover,
    Downtime,
    Fixed,
    Machine,
    Objective,
    Operation,
    Shift,
    fingerprint,
    parse_shop,
    shop_to_json,
    split_lots,
)
from jaxshop.shop.objective import MAX_OBJECTIVE_WEIGHT
from jaxshop.shop.progress import opening, timing_of
from jaxshop.support.errors import ShopError
from tests.plant import changed, plant, plant_shop
from tests.plant_faults import FAULTS, FIXED, MONDAY, out_of_order
from tests.shops import HOUR, ft06


def test_every_rule_lands_in_its_field():
    """Hours become ticks, times of the day seconds, texts days; null is any family."""
    shop = parse_shop(plant(), "a.json")
    weekly = (*((Shift(6 * HOUR, 14 * HOUR), Shift(52_200, 22 * HOUR)),) * 5, (), ())
    own = ((date(2026, 12, 27), (Shift(8 * HOUR, 12 * HOUR),)),)
    assert shop.calendars == (Calendar("two shifts", "Europe/Berlin", weekly, (date(2026, 12, 25),), own),)
    down = (Downtime(12 * HOUR, 73_800, "maintenance"),)
    assert shop.machines[0] == Machine("PP09", "press", 0, "two shifts", down, "red")
    first, second = shop.jobs[0].operations
    assert first == Operation("A/1", {"PP09": 7200}, 0, True, "blue", 1800, Fixed("PP09", -1800))
    assert not second.interruptible
    assert shop.changeovers == (
        Changeover("blue", 5400, "red", work_centre="press"),
        Changeover("blue", 7200, None, machine="PP09"),
    )
    assert shop.objective == Objective(1.0, 0.5)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_path(name: str):
    """Each kind of bad input is refused, once, with the path of the value and what is wrong with it."""
    data, words = FAULTS[name]
    with pytest.raises(ShopError) as caught:
        parse_shop(data, "bad.json")
    (fault,) = [fault for fault in caught.value.faults if "unknown calendar 'two shifts'" not in fault]
    assert fault.startswith("bad.json: ")
    assert words in fault


def numbers(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a document holds a number."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield from numbers(value, (*path, key))
    if type(data) in (int, float):
        yield path


@pytest.mark.parametrize("path", [*numbers(plant())], ids=str)
def test_no_number_is_none_or_out_of_range(path: tuple[Any, ...]):
    """NaN, infinities, more than any limit and negative numbers are refused by place; moments may precede the plan."""
    name = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
    moment = path[-1] in ("due", "start", "from")
    for value in (float("nan"), float("inf"), -float("inf"), 1e6 + 1, *(() if moment else (-1.0,))):
        with pytest.raises(ShopError) as caught:
            parse_shop(changed([*path], value), "x")
        (fault,) = caught.value.faults
        assert fault.startswith(f"x: {name}: must be ")


def test_an_objective_of_any_allowed_weight_is_read():
    """The limit of a weight is a million, also for what a file says."""
    data = changed(["objective"], {"makespan": 1.0, "tardiness": MAX_OBJECTIVE_WEIGHT})
    assert parse_shop(data, "x").objective == Objective(1.0, MAX_OBJECTIVE_WEIGHT)


def test_a_machine_may_be_down_since_before_the_plan():
    """`unavailable.from` is negative: what runs there takes longer by it, and it is written as it was read."""
    data = changed(["machines", 0, "unavailable"], [{"from": -0.25, "to": 1.0}])
    shop = parse_shop(data, "x")
    assert shop.machines[0].unavailable[0][:2] == (-900, 3600)
    assert shop_to_json(shop)["machines"][0]["unavailable"] == [{"from": -0.25, "to": 1.0}]
    (fixed, *_) = opening(plan := split_lots(shop, None), timing_of(plan)).fixed
    assert fixed.span == (-1800, 9900)


def test_fixed_work_waits_for_what_goes_before_it():
    """What may not be at 3 h (the faults say why) is fixed work at 10 h."""
    data = out_of_order()
    data["jobs"][0]["operations"][1]["fixed"]["start"] = 10.0
    assert parse_shop(data, "x").jobs[0].operations[1].fixed == Fixed("PP10", 10 * HOUR)


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_written_shop_reads_back_the_same(seed: int):
    """Records to JSON text to records is the identity, and keeps the fingerprint."""
    shop = plant_shop(seed)
    back = parse_shop(json.loads(json.dumps(shop_to_json(shop))), "x")
    assert back == shop
    assert fingerprint(back) == fingerprint(shop)


def test_fingerprints_of_plain_shops_stay_what_they_were():
    """A shop that uses none of the rules has the fingerprint from before there were any."""
    assert fingerprint(load_shop("reference")) == "148a952327541679044744051f6f1b08d14bf9031a7d7a22f7165d15fff58d03"
    family = load_shop("family:flexible:1")
    assert fingerprint(family) == "d00b20814405d833d4a127aeef55ee7ba97b3bfd74c2e17564d08f2cb3cde7b6"
    assert fingerprint(ft06()) == "ae9d7357df895066dca36dc284b4eee5b373cbff03eb40595737472540b83616"
    data = plant()
    for key in ("calendars", "setups", "objective"):
        data.pop(key)
    for entry in (*data["machines"], *(op for job in data["jobs"] for op in job["operations"])):
        for key in ("calendar", "unavailable", "interruptible", "lag", "fixed", "family"):
            entry.pop(key, None)
    plain = fingerprint(parse_shop(data, "x"))
    data |= {"calendars": {"unused": {"timezone": "UTC"}}, "objective": {"makespan": 1.0}}
    data["jobs"][0]["operations"][0] |= {"interruptible": True, "lag": 0}
    assert fingerprint(parse_shop(data, "x")) == plain


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["plan_start"], "2026-11-23T06:00:01Z"),
        (["calendars", "two shifts", "timezone"], "Europe/Paris"),
        (MONDAY, [["06:00", "14:00"]]),
        (["calendars", "two shifts", "closed"], []),
        (["calendars", "two shifts", "open"], {}),
        (["machines", 0, "unavailable", 0, "to"], 20.0),
        (["machines", 0, "family"], "blue"),
        (["jobs", 0, "operations", 0, "lag"], 0.6),
        (["jobs", 1, "operations", 0, "family"], "blue"),
        ([*FIXED, "start"], -0.25),
        (["jobs", 0, "operations", 1, "interruptible"], True),
        (["setups", 0, "hours"], 1.0),
        (["setups", 1, "from"], "red"),
        (["objective", "tardiness"], 0.25),
    ],
)
def test_the_fingerprint_tells_rules_apart(path: list[Any], value: object):
    """Every value of a rule counts; names of calendars and reasons do not."""
    shop = parse_shop(plant(), "x")
    assert fingerprint(parse_shop(changed(path, value), "x")) != fingerprint(shop)
    renamed = json.loads(json.dumps(plant()).replace("two shifts", "2").replace("maintenance", "repair"))
    assert fingerprint(parse_shop(renamed, "x")) == fingerprint(shop)
