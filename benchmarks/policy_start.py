"""Search from the shipped policy's greedy schedule against search from the best rule: the same work, the same seeds.

uv run benchmarks/policy_start.py [--lots H] [--pieces N,N] [--seeds N] SHOP...

A row for each shop, in Markdown: percent over the certified bound, medians of the seeds, two seats. A start from rules
counts the rules as work; from the policy none is played. By pieces of work, so that other load changes nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
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


def over(task: Task, cost: float) -> float:
    """Percent over the certified bound."""
    return 100.0 * (cost / task.certificate.cost(task.objective) - 1.0)


def after(task: Task, start: Schedule | None, pieces: int, seeds: Iterable[int]) -> float:
    """The cost after so many pieces of work; the median, in ticks."""
    method = improving(start, threads=SEATS)
    return median([incumbent.cost for incumbent in method.search(task, seed, Stop(work=pieces))][-1] for seed in seeds)


def row(task: Task, pieces: Sequence[int], seeds: range) -> list[float]:
    """Best rule and greedy policy alone, then for each number of pieces from the rule and from the policy; percent."""
    trace = improving(threads=SEATS).search(task, 0, Stop(work=min(pieces)))
    *_, rule = (incumbent for incumbent in trace if incumbent.source.startswith("rule:"))
    *_, greedy = Greedy(CompiledRollouts(task, load_policy)).search(task, 0, Stop())
    costs = [after(task, start, count, seeds) for count in pieces for start in (None, greedy.schedule)]
    return [over(task, cost) for cost in (rule.cost, greedy.cost, *costs)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shops", nargs="+")
    parser.add_argument("--lots", type=float, default=None, help="hours of the longest lot; default: whole jobs")
    parser.add_argument("--pieces", default="100,500")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    pieces = [int(each) for each in args.pieces.split(",")]
    heads = ["shop", "best rule", "greedy policy"]
    heads += [f"from the {start}: {count} pieces" for count in pieces for start in ("rule", "policy")]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    rows = []
    for spec in args.shops:
        task = Task.of(split_lots(load_shop(spec), args.lots))
        rows.append(row(task, pieces, range(args.seeds)))
        print(f"| {spec} | " + " | ".join(f"{each:.3f}" for each in rows[-1]) + " |", flush=True)
    print("| mean | " + " | ".join(f"{mean(each):.3f}" for each in zip(*rows, strict=True)) + " |")


if __name__ == "__main__":
    main()
