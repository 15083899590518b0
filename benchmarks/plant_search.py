"""Search under the plant's own rules: small shops against their optimum, the reference against rules and bound.

uv run --extra solver benchmarks/plant_search.py [SHOPS] [OPERATIONS]
uv run benchmarks/plant_search.py reference [SECONDS]

The reference with shifts and families, and with due dates besides, in lots of 60 h, seeds 0 to 2, two seats. Seconds
are half of the processor time of both, as on two idle cores, whatever else the machine does.

Random shops of `tests/plant.py`, of all rules, every third with fixed work ahead of its machines, every
other one with work fixed behind work that is free. The optimum is
CP-SAT's, its schedule verified, and that of enumeration (`tests/oracles/plant.py`), or the run fails. Costs in hours.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass

from jaxshop import load_shop
from jaxshop.schedule import verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.cpsat import CpSat
from jaxshop.search.plant import kernels
from jaxshop.search.plant.method import Sequences
from jaxshop.search.types import Stop, Task
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, rules_of, split_lots
from tests.oracles.plant import optimum
from tests.plant import plant_plan

WORK = 200
"""Rules and pieces of work that a search gets: about half a second."""


@dataclass(frozen=True)
class Compared:
    """Costs in ticks."""

    seed: int
    rules: tuple[str, ...]
    proven: int
    found: int
    seconds: float


def compare(seed: int, plan: LotPlan) -> Compared | None:
    """One shop; None where CP-SAT proves nothing in time."""
    task, claims = Task.of(plan), [0]
    *_, solved = CpSat(workers=1, bound=claims.append).search(task, 0, Stop(20))
    if solved.cost > max(task.certificate.cost(task.objective), *claims):
        return None
    least, began = optimum(plan), time.process_time()
    *_, best = Sequences(threads=1).search(task, seed, Stop(work=WORK, target=solved.cost))
    if verify(plan, best.schedule) or best.cost < solved.cost or least != solved.cost:
        raise AssertionError(f"seed {seed}: an optimum that is none")
    return Compared(seed, rules_of(plan), solved.cost, best.cost, time.process_time() - began)


def plan_of(seed: int, most: int) -> LotPlan | None:
    """A shop of at most so many operations to plan."""
    plan = plant_plan(seed, jobs=3 - seed % 2, machines=2 + seed % 2, frozen=0 if seed % 3 else 4, held=seed % 2)
    return plan if sum(op.fixed is None for lot in plan.lots for op in lot.operations) <= most else None


def reference(seconds: float) -> None:
    """Print a line a search."""
    kernels.wait(None)
    for spec in ("plant:reference:0", "plant-due:reference:0"):
        plan = split_lots(load_shop(spec), 60.0)
        task = Task.of(plan)
        ruled = dispatch_by_rule(plan, RULES["MWKR"], False)
        due = {job.id: job.due for job in plan.shop.jobs if job.due is not None}
        late = sum(end > due[job] for job, end in ruled.job_ends.items() if job in due)
        bound = task.certificate.cost(task.objective) / TICKS_PER_HOUR
        print(f"{spec}: bound {bound:.2f} h; MWKR {task.cost(ruled) / TICKS_PER_HOUR:.2f} h, {late} of {len(due)} late")
        for seed in range(3):
            stop = Stop(seconds, clock=lambda: time.process_time() / 2)
            found = list(Sequences(threads=2).search(task, seed, stop))
            best, rule = found[-1], [each for each in found if each.source.startswith("rule:")][-1]
            costs = best.cost / TICKS_PER_HOUR, rule.cost / TICKS_PER_HOUR
            print(f"  seed {seed}, {stop.elapsed:.2f} s, {stop.done} pieces:", end=" ")
            print(f"{costs[0]:.2f} h; best rule {rule.source} {costs[1]:.2f} h", flush=True)


def main() -> None:
    """Print a line a shop that is missed, then the shares."""
    if sys.argv[1:2] == ["reference"]:
        reference(float((sys.argv[2:] or ["10"])[0]))
        return
    shops, most = (int(given) for given in (sys.argv[1:] + ["150", "8"][len(sys.argv) - 1 :]))
    kernels.wait(None)
    seen: list[Compared] = []
    seed = 0
    while len(seen) < shops:
        plan = plan_of(seed, most)
        compared = None if plan is None else compare(seed, plan)
        seed += 1
        if compared is None:
            continue
        seen.append(compared)
        if compared.found > compared.proven:
            costs = (cost / TICKS_PER_HOUR for cost in (compared.proven, compared.found))
            print("seed {}: proven {:.3f}, found {:.3f}".format(compared.seed, *costs))
    reached = sum(each.found == each.proven for each in seen)
    rules = Counter(rule for each in seen for rule in each.rules)
    print(f"{len(seen)} shops ({', '.join(f'{count} with {rule}' for rule, count in rules.items())}):")
    print(f"at the proven optimum {reached / len(seen):.1%}")
    print(f"seconds of processor time for each, mean {sum(each.seconds for each in seen) / len(seen):.3f}")


if __name__ == "__main__":
    main()
