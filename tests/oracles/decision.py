"""What a decision loses: its best schedule on tiny plans with the plant's own rules, against all semi-active ones.

`python -m tests.oracles.decision 300` prints the table of docs/architecture.md. Times are the oracle's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache

from jaxshop.shop import LotPlan, split_lots
from tests.oracles.plant import Run, Runner, Standing, cost, optimum, set_up
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
    runner, widths = Runner(plan, days), []

    @cache
    def best(at: Standing) -> int:
        runs = {(i, m): next(runner.runs(at, i, m)) for i, m in runner.able(at)}
        if not runs:
            return cost(plan, at.last)
        chosen = list(competing(at, runs))
        widths.append(len(chosen))
        return min(best(at.after(plan, i, m, runs[i, m])) for i, m in chosen)

    def competing(at: Standing, runs: dict[tuple[int, int], Run]) -> Iterator[tuple[int, int]]:
        soonest = min(run.end for run in runs.values())
        first = min(i for (i, _), run in runs.items() if run.end == soonest)
        _, low = max((at.free[m][0], -m) for (i, m), run in runs.items() if i == first and run.end == soonest)
        open_machine = -low
        leaves = plan.lots[first].operations[at.done[first]].family or runs[first, open_machine].family
        machine = runner.machines[runner.names[open_machine]]
        for i in {i for i, _ in runs}:
            lot = plan.lots[i]
            if (i, open_machine) in runs:
                run = runs[i, open_machine]
                after = set_up(plan.shop, machine, leaves, lot.operations[at.done[i]])
                saver = "savers" in decision and after > run.extra
                if i == first or run.start < soonest or saver or "any" in decision:
                    yield i, open_machine
            if "elsewhere" in decision and ("any" not in decision or (i, open_machine) not in runs):
                yield i, min((run.end, m) for (other, m), run in runs.items() if other == i)[1]

    return best(runner.begin), sum(widths) / max(len(widths), 1)


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
