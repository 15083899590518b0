"""The plant's own rules in the shop file: what it may say of them, and the fingerprint."""

from __future__ import annotations

import json
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
from jaxshop.shop.plant_validation import MAX_DAYS
from jaxshop.shop.progress import opening, timing_of
from jaxshop.support.errors import ShopError
from tests.plant import changed, plant, plant_shop
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


MONDAY = ["calendars", "two shifts", "weekly", "mon"]
FIXED = ["jobs", 0, "operations", 0, "fixed"]
BAD = {
    "calendars: a list": (["calendars"], [], "calendars: must be an object"),
    "no plan start": (["plan_start"], None, "plan_start: missing; calendars need it"),
    "a plan start far away": (
        ["plan_start"],
        "9999-12-30T00:00:00Z",
        "plan_start: with calendars, must be of the years",
    ),
    "unknown calendar": (["machines", 1, "calendar"], "day", "machines[1].calendar: unknown calendar 'day'"),
    "unknown zone": (["calendars", "two shifts", "timezone"], "Europe/Berlín", "timezone: unknown time zone"),
    "a zone that is a folder": (["calendars", "two shifts", "timezone"], "America", "timezone: unknown time zone"),
    "a zone outside": (["calendars", "two shifts", "timezone"], "../etc/passwd", "timezone: unknown time zone"),
    "no zone": (["calendars", "two shifts", "timezone"], None, "timezone: missing"),
    "unknown weekday": (
        ["calendars", "two shifts", "weekly"],
        {"monday": []},
        "weekly.monday: unknown key, did you mean",
    ),
    "shift that ends first": (MONDAY, [["14:00", "06:00"]], "weekly.mon[0]: must end after it begins"),
    "night shift in one": (MONDAY, [["22:00", "06:00"]], "cut a night shift at 24:00"),
    "shift of no time": (MONDAY, [["06:00", "06:00"]], "weekly.mon[0]: must end after it begins"),
    "shifts that overlap": (MONDAY, [["06:00", "14:00"], ["13:30", "22:00"]], "weekly.mon[1]: begins before"),
    "shifts out of order": (MONDAY, [["14:00", "22:00"], ["06:00", "14:00"]], "weekly.mon[1]: begins before"),
    "no time of day": (MONDAY, [["06:00", "25:00"]], "weekly.mon[0]: must be a begin and an end"),
    "a minute past the day": (MONDAY, [["06:00", "24:01"]], "weekly.mon[0]: must be a begin and an end"),
    "no pair": (MONDAY, [["06:00"]], "weekly.mon[0]: must be a begin and an end"),
    "no day": (["calendars", "two shifts", "closed"], ["2026-02-30"], "closed[0]: must be a day such as"),
    "a day twice": (["calendars", "two shifts", "closed"], ["2026-12-27"], "2026-12-27 stands there twice"),
    "overlap on a day": (
        ["calendars", "two shifts", "open"],
        {"2026-12-27": [["08:00", "12:00"], ["11:00", "13:00"]]},
        "open.2026-12-27[1]: begins before",
    ),
    "a machine that never opens": (
        ["calendars", "two shifts", "weekly"],
        {},
        "machines[0].calendar: 'two shifts' opens",
    ),
    "too long in one go": (
        ["jobs", 0, "operations", 1, "alternatives", "PP09"],
        9.0,
        "alternatives.PP09: takes 9 h in one go, set-ups included, but 'two shifts' is never open for more than 8 h",
    ),
    "too long with its set-up": (
        ["jobs", 0, "operations", 1],
        {"id": "A/2", "alternatives": {"PP09": 7.0}, "interruptible": False, "family": "blue"},
        "operations[1].alternatives.PP09: takes 9 h in one go",
    ),
    "downtime that ends first": (["machines", 0, "unavailable", 0, "to"], 11.0, "unavailable[0].to: must be after"),
    "downtime without end": (["machines", 0, "unavailable", 0, "to"], None, "unavailable[0].to: missing"),
    "downtime as pair": (["machines", 0, "unavailable"], [[1, 2]], "unavailable[0]: must be an object"),
    "downtime of NaN": (["machines", 0, "unavailable", 0, "to"], float("nan"), "unavailable[0].to: must be a finite"),
    "machine's family": (["machines", 0, "family"], "", "machines[0].family: must be a printable text"),
    "interruptible": (["jobs", 0, "operations", 1, "interruptible"], 1, "operations[1].interruptible: must be true or"),
    "family": (["jobs", 0, "operations", 1, "family"], 3, "operations[1].family: must be a text"),
    "negative lag": (["jobs", 0, "operations", 0, "lag"], -0.5, "operations[0].lag: must be >= 0"),
    "lag of NaN": (["jobs", 0, "operations", 0, "lag"], float("nan"), "operations[0].lag: must be a finite"),
    "fixed elsewhere": ([*FIXED, "machine"], "PP10", "fixed.machine: 'PP10' is no machine that may run the operation"),
    "fixed on an unknown machine": ([*FIXED, "machine"], "PP99", "fixed.machine: 'PP99' is no machine"),
    "fixed in closed time": ([*FIXED, "start"], -3.0, "fixed.start: machine 'PP09' is closed then"),
    "fixed without start": ([*FIXED, "start"], None, "fixed.start: missing"),
    "fixed with an unknown key": ([*FIXED, "end"], 1.0, "fixed.end: unknown key"),
    "fixed behind what is free": (
        ["jobs", 0, "operations", 1],
        {"id": "A/2", "alternatives": {"PP10": 4.0}, "fixed": {"machine": "PP10", "start": 1.0}},
        "operations[1].fixed.start: is before the operation before it ends",
    ),
    "negative set-up": (["setups", 0, "hours"], -1.0, "setups[0].hours: must be >= 0"),
    "set-up of NaN": (["setups", 0, "hours"], float("nan"), "setups[0].hours: must be a finite"),
    "set-up without hours": (["setups", 0, "hours"], None, "setups[0].hours: missing"),
    "set-up nowhere": (["setups", 0, "work_centre"], None, "setups[0]: must name either a machine or a work_centre"),
    "set-up in both": (["setups", 0, "machine"], "PP09", "setups[0]: must name either a machine or a work_centre"),
    "unknown machine": (["setups", 1, "machine"], "PP99", "setups[1].machine: unknown machine 'PP99'"),
    "unknown centre": (["setups", 0, "work_centre"], "saw", "setups[0].work_centre: unknown work centre 'saw'"),
    "unknown family to": (["setups", 0, "to"], "green", "setups[0].to: unknown family 'green'"),
    "unknown family from": (["setups", 0, "from"], "green", "setups[0].from: unknown family 'green'"),
    "to itself": (["setups", 0, "from"], "blue", "setups[0]: is from a family to itself"),
    "set-up twice": (["setups", 1], {"work_centre": "press", "from": "red", "to": "blue", "hours": 2}, "says again"),
    "objective of nothing": (
        ["objective"],
        {"makespan": 0, "tardiness": 0},
        "objective: one of its weights must be > 0",
    ),
    "negative weight": (["objective", "tardiness"], -1, "objective.tardiness: must be a number from 0"),
    "weight of NaN": (["objective", "makespan"], float("nan"), "objective.makespan: must be a finite"),
    "objective as text": (["objective"], "tardiness", "objective: must be an object"),
    "unknown objective": (["objective", "cost"], 1.0, "objective.cost: unknown key"),
    "ten years of days": (
        ["calendars", "two shifts", "open"],
        {(date(2027, 1, 1) + d * (date(2026, 1, 2) - date(2026, 1, 1))).isoformat(): [] for d in range(3650)},
        f"calendars.two shifts: 3651 days of its own are more than {MAX_DAYS}",
    ),
    "ten years of work": (
        ["jobs", 0, "operations", 1],
        {"id": "A/2", "alternatives": {"PP09": 87_600.0}},
        "the plan would last more than 87600 hours (10 years), closed time included",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_fault_is_named_with_its_path(name: str):
    """Each kind of bad input is refused, once, with the path of the value and what is wrong with it."""
    path, value, message = BAD[name]
    with pytest.raises(ShopError) as caught:
        parse_shop(changed(path, value), "bad.json")
    (fault,) = [fault for fault in caught.value.faults if "unknown calendar 'two shifts'" not in fault]
    assert fault.startswith("bad.json: ")
    assert message in fault


def test_set_ups_need_families():
    """Set-ups in a shop whose operations have no family say nothing, and are refused."""
    data = plant()
    for job in data["jobs"]:
        for op in job["operations"]:
            op.pop("family", None)
    with pytest.raises(ShopError, match="setups: no operation has a family to be set up for"):
        parse_shop(data, "x")


def test_a_machine_may_be_down_since_before_the_plan():
    """`unavailable.from` is negative: what runs there takes longer by it, and it is written as it was read."""
    data = changed(["machines", 0, "unavailable"], [{"from": -0.25, "to": 1.0}])
    shop = parse_shop(data, "x")
    assert shop.machines[0].unavailable[0][:2] == (-900, 3600)
    assert shop_to_json(shop)["machines"][0]["unavailable"] == [{"from": -0.25, "to": 1.0}]
    (fixed, *_) = opening(plan := split_lots(shop, None), timing_of(plan)).fixed
    assert fixed.span == (-1800, 9900)


def test_fixed_work_comes_one_at_a_time_and_in_order():
    """Two at once on a machine, and fixed work that is too early for what goes before it, are refused by name."""
    data = plant()
    data["jobs"][1]["operations"][0] = {
        "id": "B/1",
        "alternatives": {"PP09": 1.0},
        "fixed": {"machine": "PP09", "start": 1.0},
    }
    with pytest.raises(
        ShopError, match=r"jobs.1..operations.0..fixed.start: fixed operation 'A/1' runs on machine 'PP09'"
    ):
        parse_shop(data, "x")
    del data["jobs"][0]["operations"][0]["fixed"]
    data["jobs"][0]["operations"][1]["fixed"] = {"machine": "PP10", "start": 10.0}
    assert parse_shop(data, "x").jobs[0].operations[1].fixed == Fixed("PP10", 10 * HOUR)
    data["jobs"][0]["operations"][1]["fixed"]["start"] = 3.0  # PP09 has a break, and the colour to change
    with pytest.raises(ShopError, match=r"operations.1..fixed: no time was found for operation 'A/1' before it"):
        parse_shop(data, "x")


def test_an_objective_of_tardiness_wants_due_dates():
    """Where no job has one every schedule would be as good."""
    data = changed(["objective"], {"makespan": 0, "tardiness": 1})
    del data["jobs"][0]["due"]
    with pytest.raises(ShopError, match=r"objective.tardiness: no job has a due date"):
        parse_shop(data, "x")


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
