"""What a decision loses: its best schedule on tiny plans with the plant's own rules, against all semi-active ones.

`python -m tests.oracles.decision 300` prints the table of docs/architecture.md; a second number is the first seed.
Times are the oracle's.
"""

from __future__ import annotations

import sys
from functools import cache

from jaxshop.shop import LotPlan, split_lots
from tests.oracles.plant import Run, Runner, Standing, cost, optimum, set_up
from tests.plant import plant_shop

DECISIONS = {
    "the environment's": "",
    "and lots that save a set-up before the first one, however late": "savers",
    "and every lot that the machine can run": "any",
    "the environment's, and every lot on the machine where it ends first": "elsewhere",
    "with `passing`: a second machine as well, and the first may be passed over": "passing",
    "every lot on every machine": "pairs",
}

Pair = tuple[int, int]
"""A lot and a machine."""


class Conflicts:
    """The lots that compete in one plan."""

    def __init__(self, plan: LotPlan, decision: str, days: int = 60):
        self.plan, self.decision, self.runner = plan, decision, Runner(plan, days)

    def open(self, at: Standing, runs: dict[Pair, Run], passed: int) -> tuple[int, set[Pair]]:
        """The machine in question, and who may go where; `passed` was passed over right before, -1 for none."""
        if self.decision == "pairs":
            return -1, set(runs)
        seen = {pair: run for pair, run in runs.items() if pair[1] != passed} or runs
        first, machine = self._first(at, seen)
        found = self._competing(at, seen, first, machine)
        if self.decision == "passing" and self._family(at, first) not in (None, runs[first, machine].family):
            lots = {lot for lot, _ in found}
            rest = {(lot, m): run for (lot, m), run in seen.items() if m != machine and lot not in lots}
            found |= self._competing(at, rest, *self._first(at, rest)) if rest else set()
        if self.decision == "elsewhere":
            for lot in {lot for lot, _ in runs} - {lot for lot, _ in found}:
                found.add((lot, min((run.end, m) for (other, m), run in runs.items() if other == lot)[1]))
        return machine, found

    def _competing(self, at: Standing, runs: dict[Pair, Run], first: int, machine: int) -> set[Pair]:
        soonest, leaves = runs[first, machine].end, self._family(at, first) or runs[first, machine].family
        found = set()
        for lot in (lot for lot, m in runs if m == machine):
            run, op = runs[lot, machine], self.plan.lots[lot].operations[at.done[lot]]
            after = set_up(self.plan.shop, self.runner.machines[self.runner.names[machine]], leaves, op)
            saves = self.decision in ("savers", "passing") and after > run.extra
            if lot == first or run.start < soonest or saves or self.decision == "any":
                found.add((lot, machine))
        return found

    def _first(self, at: Standing, runs: dict[Pair, Run]) -> Pair:
        soonest, first = min((run.end, lot) for (lot, _), run in runs.items())
        _, low = max((at.free[m][0], -m) for (i, m), run in runs.items() if i == first and run.end == soonest)
        return first, -low

    def _family(self, at: Standing, lot: int) -> str | None:
        return self.plan.lots[lot].operations[at.done[lot]].family


def best_play(plan: LotPlan, decision: str, days: int = 60) -> tuple[int, float]:
    """The least cost that a decision leads to, and how many may be chosen in the mean."""
    conflicts = Conflicts(plan, decision, days)
    runner, widths = conflicts.runner, []

    @cache
    def best(at: Standing, passed: int) -> int:
        runs = {(i, m): next(runner.runs(at, i, m)) for i, m in runner.able(at)}
        if not runs:
            return cost(plan, at.last)
        machine, chosen = conflicts.open(at, runs, passed)
        widths.append(len(chosen))
        over = machine if decision == "passing" else -1
        return min(best(at.after(plan, i, m, runs[i, m]), -1 if m == machine else over) for i, m in chosen)

    return best(runner.begin, -1), sum(widths) / max(len(widths), 1)


def main(count: int, begin: int = 0) -> None:
    """Print how many of `count` shops each decision loses the optimum of, and by how much."""
    plans = [split_lots(plant_shop(seed, plain=True), None) for seed in range(begin, begin + count)]
    least = [optimum(plan) for plan in plans]
    for name, decision in DECISIONS.items():
        found = [best_play(plan, decision) for plan in plans]
        lost = [100 * (value / best - 1) for (value, _), best in zip(found, least, strict=True) if value > best]
        width = sum(mean for _, mean in found) / count
        mean = sum(lost) / count
        print(f"| {name} | {len(lost)} | {mean:.2f} | {max(lost, default=0):.1f} | {width:.2f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
