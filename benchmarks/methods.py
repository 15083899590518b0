"""What to spend a time limit on: rules, the policy, samples of it, or search, by time limit and cores.

uv run benchmarks/methods.py [--lots H] [--seconds S,S] [--seeds N] [--best-known CSV] SHOP...

A row for each shop, in Markdown, and the means of all; a figure for each limit. Percent over the certified bound, or
over the best makespan known where the file names it; medians of the seeds, of samples also how many there were in time.

Each method is alone, all that it needs compiled, the shop packed and its bound known, as on a server that knows the
shop. What it finds behind the limit does not count. The last column is what `jaxshop solve` does with the limit, bounds
and their tightening included. Rules are those that search begins with. A search ends where it meets the bound.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from math import isnan, nan
from pathlib import Path
from statistics import median

import numpy as np
from policy_start import line

from jaxshop.policies.checkpoint import load_policy
from jaxshop.search.compare import Instance, read_best_known
from jaxshop.search.compiled import CompiledRollouts
from jaxshop.search.registry import method_named
from jaxshop.search.solver import solve
from jaxshop.search.types import Incumbent, Options, Stop, Task
from jaxshop.support.errors import LateError

WAYS = {
    "greedy policy": ("greedy", Options()),
    "samples": ("samples", Options()),
    "search, one core": ("improve", Options(threads=1)),
    "two cores": ("improve", Options(threads=2)),
    "two cores, policy too": ("improve", Options(threads=2, from_policy=True)),
}
"""By column: a method and its options."""
GRACE = 0.03
"""Seconds by which a limit may be missed."""
HEADS = ("rules", *WAYS, "`auto`")


def found(task: Task, rollouts: CompiledRollouts, seconds: float, seed: int) -> dict[str, tuple[int | None, int]]:
    """Cost of what each way has by the limit, None for nothing, and how many samples it drew by then."""
    traces: dict[str, list[Incumbent]] = {}
    drawn = dict.fromkeys(HEADS, 0)
    for name, (method, options) in WAYS.items():
        stop = Stop(seconds, target=task.certificate.cost(task.objective))
        traces[name] = []
        with suppress(LateError):  # no time for a rule
            traces[name].extend(method_named(method, rollouts, options).search(task, seed, stop))
        drawn[name] = max(0, stop.built["samples"] - rollouts.batch * (stop.elapsed > seconds + GRACE))
    traces["rules"] = [each for each in traces["two cores"] if each.source.startswith("rule:")]
    traces["`auto`"] = list(solve(task.plan, seed=seed, time_limit=seconds).trace)
    in_time = {name: [each.cost for each in trace if each.seconds <= seconds + GRACE] for name, trace in traces.items()}
    return {name: (min(costs, default=None), drawn[name]) for name, costs in in_time.items()}


def told(least: float, runs: list[dict[str, tuple[int | None, int]]]) -> Iterator[tuple[float, int]]:
    """For each column percent over the least, not a number where a run has nothing, and samples; medians."""
    for name in HEADS:
        costs, drawn = zip(*(run[name] for run in runs), strict=True)
        gap = nan if None in costs else 100.0 * (median(costs) / least - 1.0)
        yield gap, int(median(drawn))


def shown(gap: float, samples: int = 0) -> str:
    """A figure in a cell."""
    return "-" if isnan(gap) else f"{gap:.2f}" + f" ({samples})" * (samples > 0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shops", nargs="+")
    parser.add_argument("--lots", type=float, default=None, help="hours of the longest lot; default: whole jobs")
    parser.add_argument("--seconds", default="0.2,1,5", help="the limits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--best-known", metavar="CSV", help="as `jaxshop evaluate` takes it")
    args = parser.parse_args()
    limits = [float(each) for each in args.seconds.split(",")]
    known, policy = read_best_known(args.best_known) if args.best_known else {}, load_policy()
    print(line("shop", *HEADS), "|---" * (len(HEADS) + 1) + "|", sep="\n", flush=True)
    tables: list[list[list[tuple[float, int]]]] = []
    for spec in args.shops:
        instance = Instance.load(spec, args.lots, known)
        task = Task.of(instance.plan)
        rollouts = CompiledRollouts(task, lambda: policy)
        solve(task.plan, method="improve", work=200)  # reads the kernels
        for begin in (0, rollouts.batch):  # compiles, and packs the shop with time turned round
            rollouts.greedy()
            rollouts.samples(0, begin, 1)
        least = instance.known.upper_bound if instance.known else task.certificate.cost(task.objective)
        tables.append([])
        for seconds in limits:
            runs = [found(task, rollouts, seconds, seed) for seed in range(args.seeds)]
            tables[-1].append(list(told(least, runs)))
        columns = zip(*tables[-1], strict=True)
        cells = (", ".join(shown(*figure) for figure in column) for column in columns)
        print(line(Path(spec).stem, *cells), flush=True)
    gaps = np.array(tables)[..., 0].mean(axis=0)  # [limits, columns]
    print(line("mean", *(", ".join(map(shown, column)) for column in gaps.T)))


if __name__ == "__main__":
    main()
