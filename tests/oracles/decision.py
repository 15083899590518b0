"""What a decision loses: its best schedule on tiny plans with the plant's own rules, against all semi-active ones.

`python -m tests.oracles.decision 300` prints the table of docs/architecture.md. Times are the oracle's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache

from jaxshop.schedule.closed import closed_by_machine
from jaxshop.shop import LotPlan, split_lots
from tests.oracles.plant import DAY, Standing, cost, earliest, optimum, set_up, standing
from tests.plant import plant_shop

DECISIONS = {
    "the environment's": "",
    "and lots that save a set-up before the first one, however late": "savers",
    "and every lot that the machine can run": "any",
    "and every lot that it cannot, on the machine where it ends first": "any elsewhere",
    "the environment's, and every lot on the machine where it ends first": "elsewhere",
}


def best_play(plan: LotPlan, decision: str, days: int = 60) -> tuple[int, float]:
    """The least cost that a decision leads to, and how many lots compete in the mean."""
    shop, names = plan.shop, [machine.id for machine in plan.shop.machines]
    machines = {machine.id: machine for machine in shop.machines}
    closed = closed_by_machine(shop, -10 * DAY, days * DAY)
    widths: list[int] = []

    @cache
    def best(at: Standing) -> int:
        runs, saves = {}, {}
        for i, lot in enumerate(plan.lots):
            for m, name in enumerate(names if at.done[i] < len(lot.operations) else ()):
                op = lot.operations[at.done[i]]
                if name in op.alternatives:
                    free, family = at.free[m]
                    extra = set_up(shop, machines[name], family, op)
                    ticks = extra + op.setup + op.alternatives[name]
                    runs[i, m] = earliest(closed[name], max(at.ready[i], free), ticks, op.interruptible)
                    saves[i, m] = extra
        if not runs:
            return cost(plan, at.last)
        chosen = list(competing(at, runs, saves))
        widths.append(len(chosen))
        return min(best(at.after(plan, i, m, runs[i, m][1])) for i, m in chosen)

    def competing(at: Standing, runs: dict, saves: dict) -> Iterator[tuple[int, int]]:
        soonest = min(end for _, end in runs.values())
        first = min(i for (i, _), (_, end) in runs.items() if end == soonest)
        _, low = max((at.free[m][0], -m) for (i, m), (_, end) in runs.items() if i == first and end == soonest)
        open_machine = -low
        leaves = plan.lots[first].operations[at.done[first]].family or at.free[open_machine][1]
        for i in {i for i, _ in runs}:
            lot = plan.lots[i]
            if (i, open_machine) in runs:
                start, _ = runs[i, open_machine]
                after = set_up(shop, machines[names[open_machine]], leaves, lot.operations[at.done[i]])
                saver = "savers" in decision and after > saves[i, open_machine]
                if i == first or start < soonest or saver or "any" in decision:
                    yield i, open_machine
            if "elsewhere" in decision and ("any" not in decision or (i, open_machine) not in runs):
                yield i, min((end, m) for (other, m), (_, end) in runs.items() if other == i)[1]

    return best(standing(plan, closed)), sum(widths) / max(len(widths), 1)


def main(count: int) -> None:
    """Print how many of `count` shops each decision loses the optimum of, and by how much."""
    plans = [split_lots(plant_shop(seed, plain=True), None) for seed in range(count)]
    least = [optimum(plan) for plan in plans]
    for name, decision in DECISIONS.items():
        found = [best_play(plan, decision) for plan in plans]
        lost = [100 * (value / best - 1) for (value, _), best in zip(found, least, strict=True) if value > best]
        width = sum(mean for _, mean in found) / count
        mean = sum(lost) / count
        print(f"| {name} | {len(lost)} | {mean:.2f} | {max(lost, default=0):.1f} | {width:.2f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
