"""The shop's records, their validation, the fingerprint and the shop file."""

import copy
import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.shop import (
    MAX_HORIZON,
    Job,
    Machine,
    Operation,
    Provenance,
    Shop,
    fingerprint,
    horizon,
    parse_shop,
    shop_to_json,
    validate,
)
from jaxshop.support.errors import ShopError
from tests.shops import HOUR, altered, example


def faults_of(data: object) -> list[str]:
    """What `parse_shop` finds wrong with `data`, without the file's name."""
    with pytest.raises(ShopError) as caught:
        parse_shop(data, "bad.json")
    return [fault.removeprefix("bad.json: ") for fault in caught.value.faults]


def test_hours_become_ticks():
    """Every key of the file lands in its field, hours as the nearest second."""
    shop = parse_shop(example(), "a.json")
    assert shop == Shop(
        name="night shift",
        machines=(Machine("PP09", "press", 5400), Machine("PP10", "press"), Machine("SW01")),
        jobs=(
            Job(
                id="JOST0084",
                operations=(
                    Operation("JOST0084/1", {"PP09": 9000, "PP10": 9900}, setup=900),
                    Operation("JOST0084/2", {"SW01": 1}),
                ),
                release=7200,
                due=-96 * HOUR,
                weight=2.5,
                quantity=1200,
            ),
            Job("JOST0085", (Operation("JOST0085/1", {"PP10": HOUR}),)),
        ),
        plan_start="2026-11-23T06:00:00Z",
        provenance=Provenance("mariadb", "plant 3", "2026-11-23T05:58:00Z", "ab"),
    )


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "jaxshop-shop/2", "must be 'jaxshop-shop/1'"),
        ("name", None, "missing"),
        ("name", 5, "must be a text, not a number"),
        ("name", "a\ud800", "surrogate"),
        ("name", "a\n", "must be printable"),
        ("machines[2].work_centre", "\x1b[2J", "must be printable"),
        ("plan_start", "2026-11-23", "UTC"),
        ("plan_start", "2026-11-23T06:00:00+01:00", "UTC"),
        ("plan_start", "tomorrow", "UTC"),
        ("plan_start", "9999-12-31T23:00:00Z", "of the years"),
        ("provenance", [], "must be an object, not a list"),
        ("provenance.kind", "guess", "must be one of generated, file, mariadb"),
        ("provenance.taken_at", "05:58", "UTC"),
        ("machines", [], "no machines"),
        ("machines", None, "must be a list"),
        ("machines[0]", "PP09", "must be an object, not a text"),
        ("machines[0].available_from", -1.0, "must be >= 0"),
        ("machines[0].workcentre", "press", "unknown key, did you mean 'work_centre'?"),
        ("machines[1].id", "PP09", "duplicate id 'PP09', already at machines[0].id"),
        ("machines[1].id", "", "must be a printable text"),
        ("machines[1].id", "a\nb", "must be a printable text"),
        ("jobs", [], "no jobs"),
        ("jobs[1].id", "JOST0084", "duplicate id"),
        ("jobs[1].operations", [], "'JOST0085' has no operations"),
        ("jobs[1].quantity", 0, "must be an integer"),
        ("jobs[1].quantity", 1.5, "must be an integer"),
        ("jobs[1].quantity", True, "must be an integer"),
        ("jobs[1].weight", 0, "must be > 0"),
        ("jobs[1].weight", float("nan"), "finite"),
        ("jobs[1].release", "6", "must be a number, not a text"),
        ("jobs[1].due", 87_601, "at most 87600"),
        ("jobs[1].operations[0].id", "JOST0084/1", "already at jobs[0].operations[0].id"),
        ("jobs[1].operations[0].setup", -0.1, "must be >= 0"),
        ("jobs[1].operations[0].setup", -0.0001, "must be >= 0"),
        ("jobs[1].operations[0].setup", False, "must be a number, not a boolean"),
        ("jobs[1].operations[0].alternatives", {}, "no eligible machine"),
        ("jobs[1].operations[0].alternatives", None, "missing"),
        ("jobs[1].operations[0].alternatives.PP99", 1.0, "unknown machine"),
        ("jobs[1].operations[0].alternatives.PP10", 0, "must be > 0"),
        ("jobs[1].operations[0].alternatives.PP10", 0.0, "must be > 0"),
        ("jobs[1].operations[0].alternatives.PP10", -1, "must be > 0"),
        ("jobs[1].operations[0].alternatives.PP10", -0.0001, "must be > 0"),
        ("jobs[1].operations[0].alternatives.PP10", 0.0001, "0 ticks"),
        ("jobs[1].operations[0].alternatives.PP10", float("nan"), "finite"),
        ("jobs[1].operations[0].alternatives.PP10", float("inf"), "finite"),
        ("jobs[1].operations[0].alternatives.PP10", 10**400, "finite"),
        ("jobs[1].operations[0].alternatives.PP10", 87_601.0, "at most 87600"),
        ("jobs[1].operations[0].alternatives.PP10", None, "missing"),
        ("jobs[1].operations[0].alternatives.PP10", [1], "must be a number, not a list"),
        ("machines[0].capacity", 2, "not supported yet"),
        ("jobs[0].operations[0].after", ["JOST0085/1"], "not supported yet"),
    ],
)
def test_a_fault_is_named_with_its_path(path: str, value: object, message: str):
    """Each kind of bad input is refused, once, with the path of the value and what is wrong with it."""
    faults = faults_of(altered(path, value))
    if path.startswith("machines"):  # without its id, the operations on it name a machine that is not there
        faults = [fault for fault in faults if not fault.endswith("unknown machine")]
    (fault,) = faults
    assert fault.startswith(f"{path}: ")
    assert message in fault


@pytest.mark.parametrize("data", [None, [], 3, "shop"])
def test_what_is_no_object_is_one_fault(data: object):
    """A file that holds something else altogether does not raise a flood of missing keys."""
    (fault,) = faults_of(data)
    assert "must be an object" in fault


def test_every_fault_is_collected():
    """Faults in one file are all held, and the message shows the first and how many more there are."""
    data = example()
    data["machines"][2]["capacity"] = 2
    data["jobs"][0]["operations"][0]["alternatives"] = {"PP09": -1, "PP99": 1, "PP10": True}
    data["jobs"].append("next")
    with pytest.raises(ShopError) as caught:
        parse_shop(data, "bad.json")
    paths = {fault.split(": ")[1] for fault in caught.value.faults}
    route = "jobs[0].operations[0].alternatives"
    assert paths == {"machines[2].capacity", f"{route}.PP09", f"{route}.PP99", f"{route}.PP10", "jobs[2]"}
    assert str(caught.value) == f"{caught.value.faults[0]} (and 4 more faults)"


def test_empty_reserved_keys_and_nulls_are_read():
    """A reserved key without content, and null for what is optional, mean what an absent key means."""
    data = example()
    data |= {"setups": [], "objective": None, "plan_start": None}
    data["machines"][0] |= {"unavailable": [], "capacity": None}
    data["jobs"][1] |= {"quantity": None, "release": None, "due": None, "weight": None}
    data["jobs"][1]["operations"][0] |= {"after": [], "lag": None, "fixed": {}, "setup": None}
    assert fingerprint(parse_shop(data, "x")) == fingerprint(parse_shop(example(), "x"))


def test_a_shop_without_provenance_came_from_a_file():
    """The one thing that is known about a file of nameless origin is that it is a file."""
    data = example()
    del data["provenance"]
    assert parse_shop(data, "x").provenance == Provenance("file")


def test_a_message_is_one_line():
    """Line breaks and control characters in keys cannot break the line or reach the terminal."""
    data = example()
    data["a\n\x1b"] = 1
    (fault,) = faults_of(data)
    assert fault.startswith(r"a\n\x1b: unknown key")
    assert fault.isprintable()


def test_the_horizon_is_limited():
    """Times that add up past 2^30 ticks on one machine are refused; side by side they are not."""
    data = example()
    data["machines"] = [{"id": f"M{i}"} for i in range(4)]
    data["jobs"] = [
        {"id": f"J{j}", "operations": [{"id": f"J{j}/1", "alternatives": {f"M{j}": 87_600.0}}]} for j in range(4)
    ]
    shop = parse_shop(data, "x")
    assert horizon(shop, (job.operations for job in shop.jobs)) == 87_600 * HOUR < MAX_HORIZON
    for job in data["jobs"]:
        job["operations"][0]["alternatives"] = {"M0": 87_600.0}
    (fault,) = faults_of(data)
    assert f"{4 * 87_600 * HOUR} ticks" in fault
    data["jobs"] = data["jobs"][:3]  # 946 M ticks; 2^30 is 1074 M
    parse_shop(data, "x")
    data["jobs"][0]["release"] = 87_600.0
    (fault,) = faults_of(data)
    assert "2^30" in fault


def test_sources_cannot_hand_over_what_files_may_not_hold():
    """`validate` holds records to the rules of the file: integer ticks, known machines, durations above 0."""
    shop = parse_shop(example(), "x")
    validate(shop, "x")
    operation = Operation("a", {"PP09": 1.5, "PP10": 0, "PP11": 5})  # type: ignore[dict-item]
    with pytest.raises(ShopError) as caught:
        validate(dataclasses.replace(shop, jobs=(Job("a", (operation,), release=-1),)), "the source")
    assert [fault.split(": ")[1:] for fault in caught.value.faults] == [
        ["jobs[0].release", "must be >= 0"],
        ["jobs[0].operations[0].alternatives.PP09", "must be an integer number of ticks, not 1.5"],
        ["jobs[0].operations[0].alternatives.PP10", "must be > 0"],
        ["jobs[0].operations[0].alternatives.PP11", "unknown machine"],
    ]


def test_operations_of_no_time_are_for_benchmarks_only():
    """A shop in ticks may hold a duration of 0; it cannot be written as a shop file, which says why."""
    operation = Operation("a/1", {"M0": 0})
    shop = Shop("la", (Machine("M0"),), (Job("a", (operation,)),), unit="ticks")
    validate(shop, "x")
    with pytest.raises(ShopError, match="operation 'a/1' takes 0 ticks"):
        shop_to_json(shop)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
JSON = st.recursive(LEAVES, lambda some: st.lists(some) | st.dictionaries(st.text(max_size=3), some), max_leaves=6)


@settings(max_examples=200)
@given(JSON, st.randoms(use_true_random=False))
def test_any_json_is_read_or_refused(junk: object, chance: random.Random):
    """Whatever stands anywhere in the file, reading ends in a shop or in a ShopError of one line."""
    data = copy.deepcopy(example())
    entry: object = data
    while True:
        key = chance.choice(list(entry)) if isinstance(entry, dict) else chance.randrange(len(entry))
        if not isinstance(entry[key], dict | list) or not entry[key] or chance.random() < 0.3:
            entry[key] = junk
            break
        entry = entry[key]
    try:
        message = f"x: {fingerprint(parse_shop(data, 'x'))}"
    except ShopError as error:
        message = str(error)
    assert message.startswith("x: ")
    assert message.isprintable()
