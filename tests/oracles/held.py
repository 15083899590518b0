"""Whether time is found for work that fixed work waits for, wherever enumeration finds some.

`python -m tests.oracles.held 300` draws so many tight shops of each size of `SIZES` and says how often time was found,
by placing one operation after the other alone and with the search behind it.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import numpy as np

from jaxshop.schedule import verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import Fixed, LotPlan, Shop, split_lots, validate
from jaxshop.shop.pieces import MOST, NoTimeError, reserved
from jaxshop.support.errors import ShopError
from tests.oracles.plant import Runner, Standing
from tests.plant import plant_shop, random_schedule

SIZES = ((3, 2, 3), (4, 2, 5), (4, 1, 4))
"""Jobs, machines, and operations to be fixed."""

ONE_PLAN = 0.7
"""Share of the operations that are fixed where one and the same schedule has them; the others are of other ones."""


def tight_plan(seed: int, jobs: int, machines: int, count: int) -> LotPlan | None:
    """A plan with operations fixed behind free work where schedules have them, whether or not there is time for that.

    None where the shop has no such operation.
    """
    rng = np.random.default_rng([seed, jobs, machines])
    shop = plan = plant_shop(seed, jobs=jobs, machines=machines)
    whole = split_lots(plan, None)
    rows = random_schedule(whole, int(rng.integers(1000))).rows
    for _ in range(20 * count):
        routes = [(j, job.operations, int(rng.integers(len(job.operations)))) for j, job in enumerate(shop.jobs)]
        ways = [(j, k) for j, route, least in routes for k in range(max(1, least), len(route)) if not route[k].fixed]
        if count == 0 or not ways:
            break
        j, k = ways[rng.integers(len(ways))]
        place = rows if rng.random() < ONE_PLAN else random_schedule(whole, int(rng.integers(1000))).rows
        route = shop.jobs[j].operations
        op = route[k]
        machine, start = next(row[3:5] for row in place if row.operation == op.id)
        route = (*route[:k], replace(op, fixed=Fixed(machine, start)), *route[k + 1 :])
        more = replace(shop, jobs=(*shop.jobs[:j], replace(shop.jobs[j], operations=route), *shop.jobs[j + 1 :]))
        if _may_be(more):
            shop, count = more, count - 1
    return None if shop is plan else split_lots(shop, None)


def _may_be(shop: Shop) -> bool:
    """Whether a shop is valid, but perhaps for the time that its fixed work waits for."""
    try:
        validate(shop, "drawn")
    except ShopError as faults:
        return all("time was found" in fault or "there is no time" in fault for fault in faults.faults)
    return True


def schedulable(plan: LotPlan) -> bool:
    """Whether some order of dispatches keeps all fixed work, by enumeration; work behind all of it always can."""
    runner, seen = Runner(plan), set()
    last = [max((k + 1 for k, op in enumerate(lot.operations) if op.fixed), default=0) for lot in plan.lots]

    def some(at: Standing) -> bool:
        if all(done >= least for done, least in zip(at.done, last, strict=True)):
            return True
        if at in seen:
            return False
        seen.add(at)
        ways = (runner.then(at, i, m, run) for i, m in runner.able(at) for run in runner.runs(at, i, m))
        return any(some(then) for then in ways if then is not None)

    return some(runner.begin)


def answer(plan: LotPlan, most: int) -> str:
    """`found`, `none` where it is said that there is none, or `unknown`; what is found has to be valid."""
    try:
        held = reserved(plan, most=most)
    except NoTimeError as late:
        return "none" if late.proven else "unknown"
    assert verify(plan, dispatch_by_rule(held, RULES["MWKR"], False)) == []
    return "found"


def count(seeds: range, size: tuple[int, int, int], most: int) -> Counter[tuple[bool, str]]:
    """How often there is time, by enumeration, and what was answered."""
    plans = (tight_plan(seed, *size) for seed in seeds)
    return Counter((schedulable(plan), answer(plan, most)) for plan in plans if plan is not None)


def main(shops: int) -> int:
    """Print a line for each size; the exit code is 1 where an answer of the search is wrong."""
    wrong = 0
    for size in SIZES:
        alone, found = (count(range(shops), size, most) for most in (0, MOST))
        some, none = (sum(alone[there, said] for said in ("found", "none", "unknown")) for there in (True, False))
        missed = some - found[True, "found"]
        wrong += missed + found[False, "found"]
        refused = f"{some - alone[True, 'found']} refused without the search, {missed} with it"
        print(f"{size}: {some} plans have time: {refused}; {none} have none: {found[False, 'none']} proven")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
