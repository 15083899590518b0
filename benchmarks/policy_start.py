"""Search from the shipped policy's greedy schedule against search from the best rule: the same time, or the same work.

uv run benchmarks/policy_start.py [--lots H] [--seconds S,S | --pieces N,N] [--seeds N] SHOP...

A row for each shop, in Markdown: percent over the certified bound, medians of the seeds, two seats. A start from rules
counts the rules; from the policy none is played, and of the seconds its greedy schedule takes what it takes once it is
compiled, as on a server. By pieces of work other load changes nothing; the policy's play is none.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from statistics import mean, median

from jaxshop import load_shop
from jaxshop.policies.checkpoint import load_policy
from jaxshop.schedule import Schedule
from jaxshop.search.auto import improving
from jaxshop.search.compiled import CompiledRollouts
from jaxshop.search.sampling import Greedy
from jaxshop.search.types import Stop, Task
from jaxshop.shop import split_lots

SEATS = 2

End = Callable[[float], Stop]
"""A stop, where so many seconds are spent already."""


def over(task: Task, cost: float) -> float:
    """Percent over the certified bound."""
    return 100.0 * (cost / task.certificate.cost(task.objective) - 1.0)


def after(task: Task, start: Schedule | None, end: End, spent: float, seeds: Iterable[int]) -> float:
    """The cost at an end; the median, in ticks."""
    method = improving(start, threads=SEATS)
    return median([incumbent.cost for incumbent in method.search(task, seed, end(spent))][-1] for seed in seeds)


def row(task: Task, ends: Iterable[End], seeds: range) -> list[float]:
    """Best rule and greedy policy alone, then for each end from the rule and from the policy; percent."""
    trace = improving(threads=SEATS).search(task, 0, Stop(work=100))
    *_, rule = (incumbent for incumbent in trace if incumbent.source.startswith("rule:"))
    method = Greedy(CompiledRollouts(task, load_policy))
    for _ in range(2):  # the first one compiles
        began = time.monotonic()
        *_, greedy = method.search(task, 0, Stop())
    starts = (None, 0.0), (greedy.schedule, time.monotonic() - began)
    costs = [after(task, start, end, spent, seeds) for end in ends for start, spent in starts]
    return [over(task, cost) for cost in (rule.cost, greedy.cost, *costs)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shops", nargs="+")
    parser.add_argument("--lots", type=float, default=None, help="hours of the longest lot; default: whole jobs")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--seconds", default="1", help="of the whole search, rules or the policy included; default: 1")
    end.add_argument("--pieces", help="of work, in place of seconds")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    if args.pieces:
        ends = {f"{n} pieces": lambda spent, n=n: Stop(work=int(n)) for n in args.pieces.split(",")}
    else:
        ends = {f"{s} s": lambda spent, s=s: Stop(float(s) - spent) for s in args.seconds.split(",")}
    heads = ["shop", "best rule", "greedy policy"]
    heads += [f"from the {start}: {end}" for end in ends for start in ("rule", "policy")]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    rows = []
    for spec in args.shops:
        task = Task.of(split_lots(load_shop(spec), args.lots))
        rows.append(row(task, ends.values(), range(args.seeds)))
        print(f"| {spec} | " + " | ".join(f"{each:.3f}" for each in rows[-1]) + " |", flush=True)
    print("| mean | " + " | ".join(f"{mean(each):.3f}" for each in zip(*rows, strict=True)) + " |")


if __name__ == "__main__":
    main()
