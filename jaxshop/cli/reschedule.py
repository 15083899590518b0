"""`jaxshop reschedule`."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jaxshop.cli.arguments import NUMBER, add_command, count, load, seconds, threads, ticks, weight
from jaxshop.cli.solve import STORED, over_bound
from jaxshop.schedule.events import Down, Events, Kept, Told
from jaxshop.shop import TICKS_PER_HOUR, Shop
from jaxshop.support.errors import ShopError

if TYPE_CHECKING:
    from jaxshop.schedule import Schedule
    from jaxshop.schedule.happened import Past
    from jaxshop.search.replan import Replanned

DATABASE = "mariadb:"

SECONDS = 1.7
"""For repairs, rules and search where nothing is said, from the start of the process on: with what is written after it
that is an answer within 2 s."""

SHOWN = 20
"""Operations that are listed on the console; the JSON holds all."""


def add_reschedule(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "reschedule", run_reschedule, "plan anew what is left of a schedule under way", loads=True
    )
    parser.add_argument("shop", metavar="SHOP")
    parser.add_argument("schedule", metavar="schedule.json")
    parser.add_argument("--now", type=ticks, required=True, metavar="H", help="hours since the plan start")
    parser.add_argument(
        "--freeze-hours", type=ticks, default=0, metavar="F", help="what starts within F hours stays as it is"
    )
    parser.add_argument(
        "--down", type=_down, action="append", default=[], metavar="M:FROM-TO", help="machine M is down, in hours"
    )
    parser.add_argument("--add", action="append", default=[], metavar="SHOP2", help="a shop file whose jobs come")
    parser.add_argument("--drop", action="append", default=[], metavar="JOB", help="a job that is wanted no more")
    parser.add_argument("--late", type=_told, action="append", default=[], metavar="OPERATION:H", help="ends at hour H")
    parser.add_argument(
        "--worked", type=_told, action="append", default=[], metavar="OPERATION:H", help="H hours of it are done"
    )
    parser.add_argument("--keep", action="append", default=[], metavar="OPERATION", help="stays as it is planned")
    parser.add_argument(
        "--stability", type=weight, default=0.0, metavar="W", help="what an hour's move costs, in hours"
    )
    parser.add_argument(
        "--time-limit", type=seconds, default=None, metavar="S", help="search for S seconds; else an answer within 2"
    )
    parser.add_argument("--work", type=count, metavar="N", help="search for so much work, in place of a time limit")
    parser.add_argument("--threads", type=threads, metavar="N", help="searches side by side; else all cores")
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--out", required=True, metavar="FILE", help="where the new schedule goes")
    parser.add_argument("--shop-out", metavar="FILE", help="where the shop as it is now goes")
    parser.add_argument("--gantt", metavar="FILE", help="also draw it as a page")
    parser.add_argument("--write-back", action="store_true", help="store it in the database that the shop came from")


def run_reschedule(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.cli.progress import Interrupt, ProgressLine
    from jaxshop.schedule import read, write
    from jaxshop.schedule.happened import happened
    from jaxshop.search import warming
    from jaxshop.search.replan import facts, replan
    from jaxshop.shop import shop_to_json, split_lots
    from jaxshop.sources.snapshot import portable
    from jaxshop.support.files import check_outputs, write_atomic
    from jaxshop.views.gantt import write_gantt

    if args.time_limit is not None and args.work is not None:
        raise ShopError("--work: ends the search in place of a time limit; leave one of both out")
    begun = args.begun if args.time_limit is None else None
    limit = SECONDS if args.time_limit is None and args.work is None else args.time_limit
    searches = bool(limit or args.work)
    if searches:
        warming.begin_compiler()
    check_outputs((args.out, args.shop_out, args.gantt), (args.shop, args.schedule, *args.add))
    if args.write_back:
        from jaxshop.sources.mariadb.results import check_write_back

        check_write_back()
    schedule = read(args.schedule)
    shop = load(args)
    if searches:
        warming.begin(split_lots(shop, None))
    others = {path: _other(shop, path) for path in args.add}
    past = _signed(args, shop, others, happened(shop, schedule, _events(args, shop, others), args.schedule))
    if searches:  # what happened may ask for others
        warming.begin(past.rest)
    text = json.dumps(shop_to_json(portable(past.plan.shop)), indent=1) + "\n" if args.shop_out else ""
    begun = time.monotonic() if begun is None else begun
    with Interrupt() as interrupt:
        with ProgressLine(shop, limit, begun) as line:
            found = replan(
                past,
                limit,
                args.stability,
                args.seed,
                threads=args.threads,
                begun=begun,
                cancelled=interrupt,
                watch=line.watch,
                work=args.work,
            )
        write(args.out, found.best.schedule)  # Ctrl-C now would lose all that was found
        if args.shop_out:
            write_atomic(args.shop_out, text)
        if args.gantt:
            write_gantt(args.gantt, past.plan, found.best.schedule, found.bound, None, past.events.now)
    stored = _store(args, shop, schedule, found) if args.write_back else {}
    told = facts(found)
    told["before"] |= {"schedule_id": stored.get("before")}
    told |= {"stored": stored.get("stored"), "schedule_id": stored.get("schedule_id")}
    if args.json:
        print(json.dumps(told))
    else:
        print("\n".join(_lines(found, told, args.out)))
    if interrupt():
        print(f"interrupted: {args.out} holds the best schedule so far", file=sys.stderr)
    return interrupt.code


def _events(args: argparse.Namespace, shop: Shop, others: dict[str, Shop]) -> Events:
    from jaxshop.schedule.coming import jobs_that_come

    return Events(
        args.now,
        args.freeze_hours,
        tuple(args.down),
        tuple(job for path in args.add for job in jobs_that_come(shop, others[path], path)),
        tuple(args.drop),
        tuple(_named(shop, *told) for told in args.late),
        tuple(_named(shop, *told) for told in args.worked),
        tuple(Kept(*_named(shop, name, 0)[:2]) for name in args.keep),
    )


def _other(shop: Shop, path: str) -> Shop:
    """The shop whose jobs come; of the database, which has the others as well, only those that are new."""
    from jaxshop import load_shop

    other: Shop = load_shop(path)
    if path != DATABASE:
        return other
    known = {job.id for job in shop.jobs}
    jobs = tuple(job for job in other.jobs if job.id not in known)
    if not jobs:
        raise ShopError(f"--add {path}: the database has no open order that {shop.name} lacks")
    return replace(other, jobs=jobs)


def _signed(args: argparse.Namespace, shop: Shop, others: dict[str, Shop], past: Past) -> Past:
    """The same, its shop signed as real data where shop and orders come from the database."""
    from jaxshop.sources.snapshot import is_real_data, sign

    hint = f"enter its orders in the database, and say --add {DATABASE}"
    if not is_real_data(shop):
        if args.write_back:
            raise ShopError(f"--write-back: {args.shop} is neither {DATABASE} nor a signed snapshot of it")
        return past
    for path, other in others.items():
        if path != DATABASE and not is_real_data(other):
            if args.write_back:
                raise ShopError(f"--write-back: {path} does not come from the database: {hint}")
            return past
    return replace(past, plan=replace(past.plan, shop=sign(past.plan.shop)))


def _store(args: argparse.Namespace, shop: Shop, schedule: Schedule, found: Replanned) -> dict[str, Any]:
    """Store the new plan, and the one before where the database lacks it; what was told stands beside it."""
    from jaxshop.schedule.events import events_to_json
    from jaxshop.shop import split_lots
    from jaxshop.sources.mariadb.history import keep
    from jaxshop.sources.mariadb.results import About, write_back

    now, best = found.past.plan, found.best
    before = keep(split_lots(shop, schedule.max_lot_hours), schedule)
    limits = {"stability": args.stability, "seed": args.seed, "time_limit": args.time_limit, "work": args.work}
    options = {"before": before, **events_to_json(found.past.events), **limits}
    about = About(found.least, options)
    new = write_back(now, best.schedule, best.source, about=about)
    return {"before": before, "stored": new.written, "schedule_id": new.schedule_id}


def _named(shop: Shop, name: str, told: int) -> Told:
    """The operation of a name, and its lot where a number from 1 follows a #; ids may hold one themselves."""
    operation, mark, lot = name.rpartition("#")
    known = any(op.id == name for job in shop.jobs for op in job.operations)
    if not mark or not lot.isdecimal() or known or len(lot) > 9:  # more digits than a lot has
        return Told(name, None, told)
    if int(lot) == 0:
        raise ShopError(f"{name}: lots count from 1")
    return Told(operation, int(lot) - 1, told)


def _lines(found: Replanned, told: dict[str, Any], out: str) -> list[str]:
    """What a person is told."""
    from jaxshop.shop import span

    shop = found.past.plan.shop
    changes, late = told["changes"], told["late"]
    several = {lot.job for lot in found.past.plan.lots if lot.index > 0}

    def named(each: dict[str, Any]) -> str:
        return each["operation"] + (f"#{each['lot'] + 1}" if each["job"] in several else "")

    def hours(value: float) -> str:
        return span(round(value * TICKS_PER_HOUR), shop.unit)

    best, least = found.best, found.least
    over = over_bound(shop, best.schedule.makespan, found.bound, best.objective, least, told["proven_optimal"])
    lines = [
        f"{shop.name}: {hours(told['makespan_hours'])} ({hours(told['before']['makespan_hours'])} before){over},"
        f" by {told['source']} in {told['seconds']:.1f} s; wrote {out}{STORED[told['stored']]}",
        f"moved: {changes['moved']} operation{'s' * (changes['moved'] != 1)},"
        f" {changes['machine_changed']} of them to another machine,"
        f" {hours(changes['later_hours'])} later and {hours(changes['earlier_hours'])} earlier in all",
    ]
    for each in changes["list"][:SHOWN]:
        elsewhere = (
            f"{each['machine_before']} -> {each['machine']}" if each["machine_before"] != each["machine"] else ""
        )
        at = f"{hours(each['start_before'] / TICKS_PER_HOUR)} -> {hours(each['start'] / TICKS_PER_HOUR)}"
        lines.append(f"  {named(each)}: {elsewhere or each['machine']}, {at}")
    if (more := len(changes["list"]) - SHOWN) > 0:
        lines.append(f"  and {more} more (--json lists them)")
    texts = {
        "stopped": "stops while its machine is down, and goes on",
        "restarted": "is started anew, as it must not stop",
        "ended": "has ended, as its machine is down and its job dropped",
        "not_kept": "could not begin as planned",
    }
    lines += [f"{named(each)} {text}" for key, text in texts.items() for each in changes[key]]
    are = "1 job is" if len(late) == 1 else f"{len(late)} jobs are"
    lines += [f"{are} late, by {hours(told['tardiness_hours'])} weighted"] if late else []
    for each in late[:SHOWN]:
        why = ", ".join(_reason(reason, hours) for reason in each["reasons"])
        lines.append(f"  {each['job']}: {hours(each['late_hours'])} late: {why}")
    return lines


def _reason(reason: dict[str, Any], hours: Callable[[float], str]) -> str:
    where = f" {reason['machine']} (behind {reason['behind']})" if "machine" in reason else ""
    return f"{reason['what']}{where} {hours(reason['hours'])}"


def _down(text: str) -> Down:
    """A machine with a span of hours."""
    match = re.fullmatch(rf"(.+):({NUMBER})-({NUMBER})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} must be MACHINE:FROM-TO, in hours, such as PP09:10.5-14")
    return Down(match[1], ticks(match[2]), ticks(match[3]))


def _told(text: str) -> tuple[str, int]:
    """An operation with hours."""
    match = re.fullmatch(rf"(.+):({NUMBER})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} must be OPERATION:HOURS, such as JOST0084/1:14.5")
    return match[1], ticks(match[2])
