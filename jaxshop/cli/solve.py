"""`jaxshop solve`."""

from __future__ import annotations

import argparse
import json
import time
from functools import cache
from typing import Any

from jaxshop.cli.arguments import add_command, count, load, positive
from jaxshop.search.registry import METHODS
from jaxshop.shop import TICKS_PER_HOUR
from jaxshop.support.errors import ShopError

STORED = {None: "", True: " and the database", False: "; the database holds it already"}
"""What --write-back did, if it was asked for."""


def add_solve(commands: Any) -> None:
    """Add the command."""
    parser = add_command(commands, "solve", run_solve, "a verified schedule, by a policy or a rule")
    parser.add_argument("shop", metavar="SHOP")
    parser.add_argument("--max-lot-hours", type=positive, metavar="H")
    parser.add_argument(
        "--checkpoint", metavar="DIR", help="a run folder; without it, the policy that ships with jaxshop"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--method", choices=METHODS, metavar="NAME", help=f"{', '.join(METHODS)}; without it, the policy and every rule"
    )
    how.add_argument(
        "--rule", metavar="NAME", help="MWKR (non-delay), MWKR/active, SPT, LPT, LWKR, MOR, FIFO, EDD, random"
    )
    parser.add_argument("--samples", type=count, default=0, metavar="N", help="also draw N schedules and keep the best")
    parser.add_argument(
        "--time-limit", type=positive, metavar="S", help="end after S seconds with the best so far; alone: method auto"
    )
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--out", required=True, metavar="FILE", help="where schedule.json goes")
    parser.add_argument("--gantt", metavar="FILE", help="also draw it as a page")
    parser.add_argument("--write-back", action="store_true", help="store it in the database it came from")


def run_solve(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.schedule import kpis, write
    from jaxshop.search.solver import solve
    from jaxshop.shop import gap_percent, span, split_lots
    from jaxshop.support.files import check_writable
    from jaxshop.views.gantt import write_gantt

    began = time.monotonic()
    if args.rule and args.checkpoint:
        raise ShopError("--checkpoint: a rule needs no policy; leave one of both out")
    if args.write_back and args.shop != "mariadb:":
        raise ShopError(f"--write-back: the shop must be mariadb:, not {args.shop}")
    for path in filter(None, (args.out, args.gantt)):
        check_writable(path)  # rather now than after the search, with one of two files written
    if args.write_back:
        from jaxshop.sources.mariadb.writer import check_write_back, write_back

        check_write_back()
    policy = cache(lambda: _policy(args.checkpoint))
    if args.time_limit is None and not args.rule:
        policy()  # a checkpoint that is none is refused before the shop is read
    shop = load(args)
    plan = split_lots(shop, args.max_lot_hours)
    found = solve(plan, policy, args.rule, args.samples, args.seed, args.time_limit, args.method, began)
    write(args.out, found.schedule)
    if args.gantt:
        write_gantt(args.gantt, plan, found.schedule, found.bound, None)
    stored = None
    if args.write_back:
        stored = write_back(plan, found.schedule, policy().id if found.source.startswith("policy:") else found.source)
    lateness = kpis(plan, found.schedule, found.bound)["lateness"] or {"weighted_tardiness_hours": 0.0, "late_jobs": 0}
    gap = gap_percent(found.makespan, found.bound)
    result = {
        "makespan_hours": found.makespan / TICKS_PER_HOUR,
        "lower_bound_hours": found.bound / TICKS_PER_HOUR,
        "gap_percent": gap,
        "source": found.source,
        "valid": True,
        "seconds": round(found.seconds, 3),
        "objective": found.trace[-1].cost / TICKS_PER_HOUR,
        "tardiness_hours": lateness["weighted_tardiness_hours"],
        "late_jobs": lateness["late_jobs"],
        "samples_done": found.samples_done,
        "work_done": found.work_done,
        "trace": [[round(each.seconds, 3), each.cost / TICKS_PER_HOUR, each.source] for each in found.trace],
        "fingerprint": found.schedule.fingerprint,
        "provenance": vars(shop.provenance),
        "stored": stored,
    }
    if args.json:
        print(json.dumps(result))
    else:
        over = "" if gap is None else f", {gap:.2f} % over the certified bound of {span(found.bound, shop.unit)}"
        print(
            f"{shop.name}: {span(found.makespan, shop.unit)}{over}, by {found.source} in {found.seconds:.1f} s; "
            f"wrote {args.out}{STORED[stored]}"
        )
    return 0


def _policy(folder: str | None) -> Any:
    from jaxshop.policies.checkpoint import load_policy

    return load_policy(folder)
