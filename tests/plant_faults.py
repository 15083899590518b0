"""What a shop file may not say of the plant's own rules, by kind of fault: a shop's JSON, and words of the refusal."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from jaxshop.shop.plant_validation import MAX_DAYS
from tests.plant import changed, plant

MONDAY = ["calendars", "two shifts", "weekly", "mon"]
FIXED = ["jobs", 0, "operations", 0, "fixed"]
AT_A_PLACE: dict[str, tuple[list[Any], object, str]] = {
    "calendars: a list": (["calendars"], [], "calendars: must be an object"),
    "no plan start": (["plan_start"], None, "plan_start: missing; calendars need it"),
    "a plan start far away": (
        ["plan_start"],
        "9999-12-30T00:00:00Z",
        "plan_start: must be of the years",
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
        "operations[1].fixed.start: must not be before ",
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
    "to itself": (["setups", 0, "from"], "blue", "setups[0]: is from family 'blue' to itself"),
    "set-up twice": (
        ["setups", 1],
        {"work_centre": "press", "from": "red", "to": "blue", "hours": 2},
        "the same as setups[0]",
    ),
    "objective of nothing": (
        ["objective"],
        {"makespan": 0, "tardiness": 0},
        "objective: one of its weights must be > 0",
    ),
    "objective of next to nothing": (
        ["objective"],
        {"makespan": 1e-5, "tardiness": 0.009},
        "objective: one of its weights must be at least 0.01",
    ),
    "negative weight": (["objective", "tardiness"], -1, "objective.tardiness: must be a number from 0"),
    "weight of NaN": (["objective", "makespan"], float("nan"), "objective.makespan: must be a finite"),
    "objective as text": (["objective"], "tardiness", "objective: must be an object"),
    "unknown objective": (["objective", "cost"], 1.0, "objective.cost: unknown key"),
    "ten years of days": (
        ["calendars", "two shifts", "open"],
        {(date(2027, 1, 1) + timedelta(days=d)).isoformat(): [] for d in range(3650)},
        f"calendars.two shifts: 3651 days of its own are more than {MAX_DAYS}",
    ),
    "ten years of work": (
        ["jobs", 0, "operations", 1],
        {"id": "A/2", "alternatives": {"PP09": 87_600.0}},
        "the plan would last more than 87600 hours (10 years), closed time included",
    ),
}
"""Where the value stands in `plant()`, the value, and the words."""


def two_at_once() -> dict[str, Any]:
    """Two fixed operations on one machine at a time."""
    data = plant()
    data["jobs"][1]["operations"][0] |= {"alternatives": {"PP09": 1.0}, "fixed": {"machine": "PP09", "start": 1.0}}
    return data


def without_families() -> dict[str, Any]:
    """Set-ups, but no operation has a family."""
    data = plant()
    for job in data["jobs"]:
        for op in job["operations"]:
            op.pop("family", None)
    return data


def out_of_order() -> dict[str, Any]:
    """A fixed operation before which there is no time for what goes before it: a break, and the colour to change."""
    data = plant()
    first, second = data["jobs"][0]["operations"]
    del first["fixed"]
    second["fixed"] = {"machine": "PP10", "start": 3.0}
    return data


def without_dates() -> dict[str, Any]:
    """Tardiness alone counts, and no job has a due date: every schedule would be as good."""
    data = changed(["objective"], {"makespan": 0, "tardiness": 1})
    del data["jobs"][0]["due"]
    return data


def words_for(text: str, words: str) -> str:
    """What is said of a file's text: JSON has no NaN, so that its place is not looked for."""
    return "not valid JSON: NaN is not a number" if "NaN" in text else words


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    **{name: (changed(path, value), words) for name, (path, value, words) in AT_A_PLACE.items()},
    "two fixed at once": (two_at_once(), "jobs[1].operations[0].fixed.start: fixed operation 'A/1' runs on machine"),
    "fixed out of order": (out_of_order(), "operations[1].fixed: there is no time for operation 'A/1' before it"),
    "set-ups without families": (without_families(), "setups: no operation has a family to be set up for"),
    "tardiness without dates": (without_dates(), "objective.tardiness: no job has a due date"),
}
