"""Search from the shipped policy's greedy schedule against search from the best rule: the same time, or the same work.

uv run benchmarks/policy_start.py [--lots H] [--seconds S,S | --pieces N,N] [--seeds N] [--best-known CSV] SHOP...

A row for each shop, in Markdown: percent over the certified bound, or over the best makespan known where the file names
it; a figure for each seed, two seats. Then a row for each set and end: means of the medians, the mean range of the
seeds, and on how many shops the policy's median is ahead, level and behind, and on how many all of its seeds are.

A start from rules counts the rules; from the policy none is played, and of the seconds its greedy schedule takes what
it takes once it is compiled, as on a server. By pieces of work other load changes nothing; the policy's play is none. A
search ends where it meets the certified bound.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import mean, median

from jaxshop.policies.checkpoint import load_policy
from jaxshop.schedule import Schedule
from jaxshop.search.auto import improving
from jaxshop.search.compare import Instance, read_best_known
from jaxshop.search.compiled import CompiledRollouts
from jaxshop.search.sampling import Greedy
from jaxshop.search.types import Stop, Task

SEATS = 2

End = Callable[[float, int], Stop]
"""A stop, where so many seconds are spent already, at a cost that cannot be beaten."""


@dataclass(frozen=True)
class Row:
    """What one shop gave, in percent: `pairs` has for each end a figure a seed from the rule, and from the policy."""

    kind: str
    rule: float
    greedy: float
    pairs: tuple[tuple[list[float], list[float]], ...]


def kind_of(spec: str) -> str:
    """The set of a shop: its name without a number."""
    return re.sub(r":?\d+", "", Path(spec).stem)


def after(task: Task, start: Schedule | None, end: End, spent: float, seeds: Iterable[int]) -> list[int]:
    """The costs at an end, in ticks."""
    method, bound = improving(start, threads=SEATS), task.certificate.cost(task.objective)
    return [[incumbent.cost for incumbent in method.search(task, seed, end(spent, bound))][-1] for seed in seeds]


def measured(instance: Instance, ends: Iterable[End], seeds: range) -> Row:
    """Best rule and greedy policy alone, then for each end search from the rule and from the policy."""
    task = Task.of(instance.plan)
    least = instance.known.upper_bound if instance.known else task.certificate.cost(task.objective)

    def over(*costs: int) -> list[float]:
        return [100.0 * (cost / least - 1.0) for cost in costs]

    trace = improving(threads=SEATS).search(task, 0, Stop(work=100))
    *_, rule = (incumbent for incumbent in trace if incumbent.source.startswith("rule:"))
    method = Greedy(CompiledRollouts(task, load_policy))
    for _ in range(2):  # the first one compiles
        began = time.monotonic()
        *_, greedy = method.search(task, 0, Stop())
    spent = time.monotonic() - began
    pairs = tuple(
        (over(*after(task, None, end, 0.0, seeds)), over(*after(task, greedy.schedule, end, spent, seeds)))
        for end in ends
    )
    return Row(kind_of(instance.spec), *over(rule.cost, greedy.cost), pairs)


def told(rows: list[Row], end: int) -> Iterator[str]:
    """The cells of a set of shops at one of the ends."""
    pairs = [row.pairs[end] for row in rows]
    medians = [(median(rule), median(policy)) for rule, policy in pairs]
    yield from (f"{mean(row.rule for row in rows):.2f}", f"{mean(row.greedy for row in rows):.2f}")
    yield from (f"{mean(each):.3f}" for each in zip(*medians, strict=True))
    yield from (f"{mean(max(each) - min(each) for each in side):.3f}" for side in zip(*pairs, strict=True))
    ahead, behind = (sum(sign * (a - b) > 0 for a, b in medians) for sign in (1, -1))
    yield f"{ahead}, {len(rows) - ahead - behind}, {behind}"
    yield f"{sum(max(b) < min(a) for a, b in pairs)}, {sum(max(a) < min(b) for a, b in pairs)}"


def line(*cells: object) -> str:
    """A row of a table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shops", nargs="+")
    parser.add_argument("--lots", type=float, default=None, help="hours of the longest lot; default: whole jobs")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--seconds", default="1", help="of the whole search, rules or the policy included; default: 1")
    end.add_argument("--pieces", help="of work, in place of seconds")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--best-known", metavar="CSV", help="as `jaxshop evaluate` takes it")
    args = parser.parse_args()
    ends: dict[str, End]
    if args.pieces:
        ends = {f"{n} pieces": lambda _, goal, n=n: Stop(work=int(n), target=goal) for n in args.pieces.split(",")}
    else:
        ends = {f"{s} s": lambda t, goal, s=s: Stop(float(s) - t, target=goal) for s in args.seconds.split(",")}
    known = read_best_known(args.best_known) if args.best_known else {}
    heads = ["shop", "best rule", "greedy policy"]
    heads += [f"from the {start}: {end}" for end in ends for start in ("rule", "policy")]
    print(line(*heads), "|---" * len(heads) + "|", sep="\n")
    rows: list[Row] = []
    for spec in args.shops:
        row = measured(Instance.load(spec, args.lots, known), ends.values(), range(args.seeds))
        searched = (", ".join(f"{each:.3f}" for each in side) for pair in row.pairs for side in pair)
        print(line(Path(spec).stem, f"{row.rule:.2f}", f"{row.greedy:.2f}", *searched), flush=True)
        rows.append(row)
    heads = ["set", "shops", "end", "best rule", "greedy policy", "from the rule", "from the policy"]
    heads += ["range, rule", "range, policy", "ahead, level, behind", "all seeds ahead, behind"]
    print("", line(*heads), "|---" * len(heads) + "|", sep="\n")
    for kind, grouped in groupby(sorted(rows, key=lambda row: row.kind), key=lambda row: row.kind):
        of_kind = list(grouped)
        for number, name in enumerate(ends):
            print(line(kind, len(of_kind), name, *told(of_kind, number)))


if __name__ == "__main__":
    main()
