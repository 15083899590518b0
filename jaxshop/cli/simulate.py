"""`jaxshop simulate`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jaxshop.cli.arguments import add_command, count, hours, load, positive_count, seconds, threads, ticks, weight
from jaxshop.search.replan import POLICIES, SECONDS
from jaxshop.shop import TICKS_PER_HOUR
from jaxshop.support.errors import ShopError

if TYPE_CHECKING:
    from jaxshop.schedule import Schedule
    from jaxshop.search.simulation import Chances, Manner, Week
    from jaxshop.shop import LotPlan

REFERENCE = ("reference", 60.0)
"""The shop and its lots where none is named."""

MOST = 1000
"""Events of a kind in a week."""


def add_simulate(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "simulate", run_simulate, "a week by chance, planned anew at every event", loads=True
    )
    parser.add_argument("shop", metavar="SHOP", nargs="?", help="without it, the reference, cut into lots of 60 h")
    parser.add_argument("--max-lot-hours", type=hours, metavar="H")
    parser.add_argument("--start", metavar="FILE", help="the plan that each week begins with; else it is searched for")
    parser.add_argument("--hours", type=ticks, default=168 * TICKS_PER_HOUR, metavar="H", help="of a week; else 168")
    for name, text in (("breakdowns", "machines that break down"), ("late", "operations that run late")):
        parser.add_argument(f"--{name}", type=count, default=4, metavar="N", help=f"{text} in a week; else 4")
    parser.add_argument("--urgent", type=count, default=4, metavar="N", help="urgent orders that come; else 4")
    parser.add_argument(
        "--policy", action="append", choices=POLICIES, metavar="NAME", help=f"{', '.join(POLICIES)}; else all of them"
    )
    parser.add_argument("--time-limit", type=seconds, metavar="S", help="for each plan; else 1")
    parser.add_argument("--work", type=count, metavar="N", help="for each plan, in place of a time limit")
    parser.add_argument("--freeze-hours", type=ticks, default=0, metavar="F", help="as in reschedule")
    parser.add_argument("--stability", type=weight, default=0.0, metavar="W", help="as in reschedule")
    parser.add_argument(
        "--promise-hours",
        type=ticks,
        default=4 * TICKS_PER_HOUR,
        metavar="H",
        help="jobs without a due date are due H hours after their planned end; else 4",
    )
    parser.add_argument(
        "--tardiness", type=weight, metavar="W", help="weight of an hour late beside one of makespan; else the shop's"
    )
    parser.add_argument("--threads", type=threads, metavar="N", help="searches side by side; else all cores")
    parser.add_argument("--seed", type=count, default=0, help="of the first week")
    parser.add_argument("--seeds", type=positive_count, default=1, metavar="N", help="N weeks, of as many seeds")


def run_simulate(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.cli.progress import Interrupt
    from jaxshop.search import warming
    from jaxshop.search.simulation import Chances, Manner, week_to_json
    from jaxshop.training.callbacks import make_console
    from jaxshop.views.simulation import simulation_table, summary

    _check(args)
    policies = tuple(dict.fromkeys(args.policy or POLICIES))
    limit = SECONDS if args.time_limit is None and args.work is None else args.time_limit
    manner = Manner("search", limit, args.work, args.stability, args.freeze_hours, args.threads)
    plan, schedule, first = _first(args, manner)
    if "search" in policies:
        warming.wait(plan, None)  # reading or compiling kernels is no search
    until = min(args.hours, round(first["lower_bound_hours"] * TICKS_PER_HOUR))
    chances = Chances(args.breakdowns, args.late, args.urgent)
    weeks: list[Week] = []
    with Interrupt() as interrupt:
        for seed in range(args.seed, args.seed + args.seeds):
            for policy in policies:
                if interrupt():
                    break
                told = f"week {len(weeks) + 1} of {args.seeds * len(policies)}, seed {seed}, {policy}"
                week = _live(plan, schedule, chances, until, replace(manner, policy=policy), seed, told, interrupt)
                weeks += [] if week is None else [week]
    lived = [week_to_json(week) for week in weeks]
    compared = summary(lived)
    if args.json:
        print(json.dumps({"shop": plan.shop.name, "first": first, "policies": compared, "weeks": lived}))
    else:
        shown = f"{first['makespan_hours']:.2f} h by {first['source']}, {first['tardiness_hours']:.2f} h late, weighted"
        print(f"{plan.shop.name}: the first plan is of {shown}")
        weeks_of = f"{args.seeds} weeks, medians" if args.seeds > 1 else "a week"
        title = f"{weeks_of}; breakdowns: {args.breakdowns}, late operations: {args.late}, urgent orders: {args.urgent}"
        make_console(to_stderr=False).print(simulation_table(title, compared))
    if interrupt():
        print("interrupted: only whole weeks are told", file=sys.stderr)
    return interrupt.code


def _check(args: argparse.Namespace) -> None:
    """Refuse what contradicts itself, and chances that are none."""
    if args.time_limit is not None and args.work is not None:
        raise ShopError("--work: ends each plan in place of a time limit; leave one of both out")
    if args.start and (args.max_lot_hours or args.shop is None):
        raise ShopError("--start: says how its shop, which must be named, is cut; leave --max-lot-hours out")
    if args.hours <= 0:
        raise ShopError(f"--hours: {args.hours / TICKS_PER_HOUR:g} h: must be > 0")
    for name in ("freeze_hours", "promise_hours"):
        if getattr(args, name) < 0:
            raise ShopError(f"--{name.replace('_', '-')}: must be >= 0")
    if not args.breakdowns + args.late + args.urgent:
        raise ShopError("--breakdowns, --late, --urgent: are all 0, so nothing happens")
    if max(args.breakdowns, args.late, args.urgent) > MOST:
        raise ShopError(f"--breakdowns, --late, --urgent: at most {MOST} each")


def _first(args: argparse.Namespace, manner: Manner) -> tuple[LotPlan, Schedule, dict[str, Any]]:
    """The plan that each week begins with, dates promised by it, and what is told of it."""
    from jaxshop.bounds import certify
    from jaxshop.schedule import kpis, read, tardiness, verify
    from jaxshop.search import warming
    from jaxshop.search.simulation import promised
    from jaxshop.search.solver import solve
    from jaxshop.search.types import Options
    from jaxshop.shop import Objective, split_lots

    args.shop, args.max_lot_hours = REFERENCE if args.shop is None else (args.shop, args.max_lot_hours)
    shop = load(args)
    if shop.unit != "hours":
        raise ShopError(f"{args.shop}: is in {shop.unit}; what happens takes hours")
    objective = shop.objective if args.tardiness is None else Objective(shop.objective.makespan, args.tardiness)
    if not (objective.makespan or objective.tardiness):
        raise ShopError("--tardiness 0: the shop's makespan weighs nothing either; one of the two must")
    if args.start:
        schedule, source = read(args.start), "start"
        plan = split_lots(shop, schedule.max_lot_hours)
        if violations := verify(plan, schedule):
            raise ShopError([f"{args.start}: {violation}" for violation in violations])
        bound = certify(plan).value
    else:
        dated = any(job.due is not None for job in shop.jobs)
        plan = split_lots(replace(shop, objective=objective) if dated else shop, args.max_lot_hours)
        options = Options(threads=manner.threads)
        warming.wait(plan, None)
        found = solve(
            plan, seed=args.seed, time_limit=manner.time_limit, method="auto", options=options, work=manner.work
        )
        schedule, source, bound = found.schedule, found.source, found.bound
    shop, schedule = promised(replace(shop, objective=objective), schedule, args.promise_hours)
    plan = split_lots(shop, schedule.max_lot_hours)
    told = kpis(plan, schedule, bound)
    figures = {name: told[name] for name in ("makespan_hours", "lower_bound_hours", "gap_percent")}
    return (
        plan,
        schedule,
        {
            **figures,
            **tardiness(plan, schedule),
            "source": source,
            "fingerprint": schedule.fingerprint,
        },
    )


def _live(
    plan: LotPlan,
    schedule: Schedule,
    chances: Chances,
    until: int,
    manner: Manner,
    seed: int,
    told: str,
    cancelled: Callable[[], bool],
) -> Week | None:
    """A week with a line of progress, where stderr is a terminal."""
    from jaxshop.search.replan import Replanned
    from jaxshop.search.simulation import live
    from jaxshop.shop import span

    shown = sys.stderr.isatty()

    def watch(number: int, found: Replanned) -> None:
        if shown:
            now = f"event {number + 1} of {len(events)}, {span(found.best.schedule.makespan, plan.shop.unit)}"
            print(f"\r{told}: {now}\x1b[K", end="", file=sys.stderr, flush=True)

    events = chances.happenings(until, seed)
    week = live(plan, schedule, events, manner, seed, cancelled, watch)
    if shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return week
