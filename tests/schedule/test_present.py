"""A plan followed up in a shop that has changed: what runs is fixed, orders came and went, machines closed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jaxshop.schedule import Row
from jaxshop.schedule.events import Events
from jaxshop.schedule.present import in_present
from jaxshop.search.replan import replan
from jaxshop.shop import Downtime, Fixed, Job, Operation, Shop, validate
from jaxshop.support.errors import ShopError
from tests.plant import plant_plan, random_schedule
from tests.shops import HOUR
from tests.underway import hours, planned, presses

NEW = Job("NEW", (Operation("new1", {"P1": HOUR, "P2": HOUR}),))
ROWS = planned(presses()).rows


def test_a_shop_that_is_the_same_gives_the_plan_itself() -> None:
    """Nothing has changed: what began before now stands, the rest is planned as it was."""
    past = in_present(presses(), ROWS, None, Events(2 * HOUR), reported=False)
    assert hours(past.kept) == {"a1": ("P1", 0, 4), "c1": ("P2", 0, 2)}
    assert past.planned == {row[:3]: row for row in ROWS}
    assert replan(past, 0.0, policy="right-shift").best.changes == []


def test_what_the_floor_reports_counts() -> None:
    """a1 began an hour late, c1 is finished and gone, b1 waits behind a1; nothing else has begun before now."""
    shop = presses()
    a, b, _ = shop.jobs
    late = replace(a, operations=(replace(a.operations[0], fixed=Fixed("P1", HOUR)), a.operations[1]))
    past = in_present(replace(shop, jobs=(late, b)), ROWS, None, Events(2 * HOUR), reported=True)
    assert hours(past.kept) == {"a1": ("P1", 1, 5)}
    found = replan(past, 0.0).best
    assert hours(found.schedule.rows)["b1"][1] >= 2
    assert {change.after.operation for change in found.changes} == {"a1", "a2", "b1"}


def test_orders_come_and_go_and_machines_close() -> None:
    """What is new is planned from now on, what is gone is not in the plan; P1 is down by the shop's own word."""
    shop = presses()
    machines = tuple(
        replace(m, unavailable=(Downtime(4 * HOUR, 6 * HOUR, "repair"),)) if m.id == "P1" else m for m in shop.machines
    )
    past = in_present(
        replace(shop, machines=machines, jobs=(*shop.jobs[:2], NEW)), ROWS, None, Events(HOUR), reported=False
    )
    assert past.events.add == (NEW,)
    found = replan(past, 0.0).best
    assert sorted(hours(found.schedule.rows)) == ["a1", "a2", "b1", "new1"]
    assert hours(found.schedule.rows)["new1"][1] >= 1


def test_a_shop_without_any_order_of_the_plan_is_refused() -> None:
    """By name."""
    with pytest.raises(ShopError, match="the plan: presses has no order any more"):
        in_present(replace(presses(), jobs=(NEW,)), ROWS, None, Events(0), True, "the plan")


def changed(shop: Shop, rows: tuple[Row, ...], now: int, rng: np.random.Generator) -> Shop:
    """The shop some time later: some orders gone, one new, first operations finished or running, a machine down."""
    began = {row[:3]: row for row in rows}
    jobs = []
    for job in shop.jobs:
        chance, first = rng.random(), job.operations[0]
        row = began.get((job.id, 0, first.id))
        alone = row is not None and not any(other.job == job.id and other.lot for other in rows)
        if chance < 0.15 and len(shop.jobs) > 1:
            continue
        if alone and chance < 0.5 and not any(op.fixed for op in job.operations) and len(job.operations) > 1:
            job = replace(job, operations=job.operations[1:])
        elif (
            alone
            and row is not None
            and chance < 0.7
            and row.start < now
            and not any(op.fixed for op in job.operations)
        ):
            fixed = Fixed(row.machine, row.start)
            job = replace(job, operations=(replace(first, fixed=fixed), *job.operations[1:]))
        jobs.append(job)
    jobs.append(Job("NEW", (Operation("NEW/0", {shop.machines[0].id: HOUR}),)))
    m = int(rng.integers(len(shop.machines)))
    down = Downtime(now, now + 5 * HOUR, "repair")
    machines = tuple(
        replace(machine, unavailable=(*machine.unavailable, down)) if i == m else machine
        for i, machine in enumerate(shop.machines)
    )
    return replace(shop, machines=machines, jobs=tuple(jobs))


def test_whatever_changed_the_new_plan_is_valid() -> None:
    """Random shops with every rule of the plant that have changed at random: each new plan passes the verifier."""
    done, refused = 0, []
    for seed in range(12):
        plan, rng = plant_plan(seed), np.random.default_rng(seed)
        rows = random_schedule(plan, seed).rows
        now = int(rng.integers(0, max(row.end for row in rows)))
        shop = changed(plan.shop, rows, now, rng)
        try:
            validate(shop, "changed")
        except ShopError:
            continue  # what runs there contradicts itself
        try:
            past = in_present(shop, rows, plan.max_lot_hours, Events(now), bool(seed % 2))
        except ShopError as error:
            refused.append(str(error))
            continue
        found = replan(past, 0.0).best.schedule
        assert {row.job for row in found.rows} == {job.id for job in shop.jobs}
        done += 1
    assert done > 6
    assert all("behind it nothing is left" in text for text in refused)
