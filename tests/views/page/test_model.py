"""What the page knows of a shop, under node, beside what the server makes of it: closings, lots, violations."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from jaxshop.schedule import Row, Schedule, verify
from jaxshop.schedule.closed import closed_by_machine
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.schedule.verify import setups_by_sequence
from jaxshop.shop import LotPlan, parse_shop, shop_to_json, split_lots
from tests.plant import plant_plan
from tests.schedule.test_plant import press
from tests.shops import random_shop, with_setups
from tests.views.script import run_script

MODEL = ["clock.js", "plan.js", "calendar.js", "model.js", "check.js"]
DAY = 86400


def plant(seed: int) -> dict:
    """A shop file with two calendars, downtimes, set-ups by sequence, lags and quantities, drawn at random."""
    draw = random.Random(seed)
    shop = shop_to_json(with_setups(random_shop(seed, jobs=5, machines=3, most_operations=3), seed))
    shop["plan_start"] = draw.choice(["2026-03-27T05:00:00Z", "2026-10-23T05:30:00Z", "2026-11-23T22:15:07Z"])
    night = [["00:00", "05:30"], ["22:00", "24:00"]]
    shop["calendars"] = {
        "shifts": {
            "timezone": draw.choice(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
            "weekly": {day: [["06:00", "14:00"], ["14:30", "22:00"]] for day in ("mon", "tue", "thu", "fri")}
            | {"sun": night, "wed": [["01:30", "02:30:15"], ["09:00", "12:00"]]},
            "closed": ["2026-10-26", "2026-11-26"],
            "open": {"2026-03-28": [["02:30", "08:00"]], "2026-11-28": [], "2026-10-24": night},
        },
        "tuesdays": {"timezone": "UTC", "weekly": {"tue": [["06:00", "20:00"]]}},
    }
    for machine in shop["machines"]:
        machine["calendar"] = draw.choice(["shifts", "shifts", "tuesdays", None])
        if draw.random() < 0.5:
            begins = draw.uniform(-5, 100)
            machine["unavailable"] = [{"from": begins, "to": begins + draw.uniform(1, 50)}]
        machine["work_centre"] = draw.choice(["press", None])
    return json.loads(json.dumps(shop))


def test_closings_are_the_verifiers() -> None:
    """Twelve shops, over both changes of the clock: the page's closed time in every hour is the verifier's."""
    shops = [plant(seed) for seed in range(12)]
    body = """return given.map((shop) => {
        const closings = new Closings(shop);
        closings.reach(20 * 86400);
        const hours = Array.from({ length: 480 }, (_, h) => 3600 * h);
        return shop.machines.map(({ id }) => hours.map((from) => closings.closedTicks(id, from, from + 3600)));
      });"""
    found = run_script(MODEL, body, shops)
    for data, machines in zip(shops, found, strict=True):
        shop = parse_shop(data, "shop")
        closed = closed_by_machine(shop, 0, 20 * DAY)
        for machine, hours in zip(shop.machines, machines, strict=True):
            seconds = np.zeros(20 * DAY, bool)
            for start, end in closed[machine.id]:
                seconds[max(0, start) : max(0, end)] = True
            assert hours == seconds.reshape(480, 3600).sum(axis=1).tolist()


def test_lots_are_the_servers() -> None:
    """Sixteen shops, with and without quantities, in lots of several sizes: the same lots, to the tick."""
    cases = []
    for seed in range(16):
        shop = with_setups(random_shop(seed, jobs=4, longest=4000), seed)
        quantity = [None, 7, 1200, 10**9][seed % 4]
        shop = replace(shop, unit="hours", jobs=tuple(replace(job, quantity=quantity) for job in shop.jobs))
        cases.append((shop, [1.0, 0.5, 2.5, 100.0][seed // 4 % 4]))
    body = """return given.map(([shop, hours]) =>
        [...new Model(shop, hours).steps.values()].map(
          (s) => [s.job, s.lot, s.operation, s.setup, Object.fromEntries(s.times)]));"""
    found = run_script(MODEL, body, [[shop_to_json(shop), hours] for shop, hours in cases])
    for (shop, hours), steps in zip(cases, found, strict=True):
        lots = split_lots(shop, hours).lots
        assert steps == [
            [lot.job, lot.index, op.id, op.setup, dict(op.alternatives)] for lot in lots for op in lot.operations
        ]


def broken(plan: LotPlan, schedule: Schedule, seed: int) -> list[Row]:
    """The rows of a schedule with one to three slips; a row that stands twice may have two set-ups by sequence."""
    kinds = ["shift", "stretch", "machine", "lose", *([] if plan.shop.changeovers else ["twice"])]
    draw = random.Random(seed)
    rows = list(schedule.rows)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(rows))
        row = rows[at]
        slip = draw.choice(kinds)
        if slip == "shift":
            by = draw.choice([-3, -1, 1, 4, -7200])
            rows[at] = row._replace(start=row.start + by, end=row.end + by)
        elif slip == "stretch":
            rows[at] = row._replace(end=row.end + draw.randint(1, 5))
        elif slip == "machine":
            rows[at] = row._replace(machine=draw.choice([machine.id for machine in plan.shop.machines]))
        elif slip == "lose" and len(rows) > 1:
            del rows[at]
        elif slip == "twice":
            rows.append(row)
    return rows


@pytest.mark.parametrize("kind", ["plain", "plant"])
def test_violations_are_the_verifiers(kind: str) -> None:
    """Twenty-five schedules with slips: the page finds as many violations as the verifier, of the same operations."""
    cases = []
    for seed in range(25):
        plan = plant_plan(seed) if kind == "plant" else split_lots(with_setups(random_shop(seed, 4), seed), None)
        schedule = dispatch_by_rule(plan, RULES["FIFO"], False)
        cases.append((plan, schedule, broken(plan, schedule, seed)))
    body = """return given.map(([shop, hours, rows]) => {
        const model = new Model(shop, hours);
        const found = violationsOf(model, rows, new Clock(shop.unit, shop.plan_start));
        return found.map((each) => [each.operation, each.code, each.text]);
      });"""
    rows = [[shop_to_json(plan.shop), plan.max_lot_hours, [row._asdict() for row in rows]] for plan, _, rows in cases]
    for (plan, schedule, slipped), found in zip(cases, run_script(MODEL, body, rows), strict=True):
        expected = verify(plan, replace(schedule, rows=tuple(slipped), claimed_hours=None))
        told = Counter((each.operation, each.code) for each in expected)
        assert Counter((operation, code) for operation, code, _ in found) == told, (expected, found)
        assert all(text.endswith(".") for *_, text in found)


def test_set_ups_by_sequence_are_the_verifiers() -> None:
    """By the press of the plant's tests: which rows have a set-up by sequence, and how long it is."""
    plan = press()
    rows = list(dispatch_by_rule(plan, RULES["FIFO"], False).rows)
    operations = {(lot.job, lot.index, op.id): op for lot in plan.lots for op in lot.operations}
    expected = [setups_by_sequence(plan.shop, operations, rows)[row] for row in rows]
    assert max(expected) > 0
    body = "const s = new Model(given[0]).sequenceSetups(given[1]); return given[1].map((row) => s.get(row) ?? 0);"
    assert run_script(MODEL, body, [shop_to_json(plan.shop), [row._asdict() for row in rows]]) == expected
