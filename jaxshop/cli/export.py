"""`jaxshop export`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jaxshop.cli.arguments import add_command, load
from jaxshop.support.errors import InvalidScheduleError, ShopError


def add_export(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "export",
        run_export,
        "dispatch lists by machine and by order, and a calendar for each machine",
        loads=True,
    )
    parser.add_argument("shop", metavar="SHOP")
    parser.add_argument("schedule", metavar="schedule.json")
    parser.add_argument("--csv", metavar="FOLDER", help="by-machine.csv and by-order.csv")
    parser.add_argument("--xlsx", metavar="FILE", help="the same as sheets of a workbook")
    parser.add_argument("--ical", metavar="FOLDER", help="an .ics file for each machine that works")
    parser.add_argument("--timezone", metavar="ZONE", help="of all moments; else that of the calendars, or UTC")


def run_export(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.schedule import read, verify
    from jaxshop.shop import split_lots
    from jaxshop.sources.tables.options import parse_zone
    from jaxshop.support.files import check_writable, write_atomic
    from jaxshop.views import dispatch_list as lists
    from jaxshop.views.ical import to_ical

    if not (args.csv or args.xlsx or args.ical):
        raise ShopError("export: say --csv FOLDER, --xlsx FILE or --ical FOLDER")
    schedule = read(args.schedule)
    shop = load(args)
    plan = split_lots(shop, schedule.max_lot_hours)
    if violations := verify(plan, schedule):
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        raise InvalidScheduleError(
            f"{args.schedule}: nothing is exported of an invalid schedule: {violations[0]}{more}"
        )
    clock = lists.clock_of(shop, parse_zone(args.timezone or lists.plant_zone(shop)))
    if args.ical and clock.start is None:
        raise ShopError(f"--ical: {args.shop} has no plan_start, so there are no dates")
    lines = lists.dispatch_lines(plan, schedule)
    machines = lists.by_machine(plan, lines)
    tables = {
        "by machine": lists.table([line for of_one in machines.values() for line in of_one], shop.unit, clock),
        "by order": lists.table(lists.by_order(plan, lines), shop.unit, clock),
    }
    written: dict[str, str | bytes] = {}
    if args.csv:
        folder = _folder(args.csv)
        written |= {str(folder / f"{name.replace(' ', '-')}.csv"): lists.to_csv(*each) for name, each in tables.items()}
    if args.xlsx:
        written[args.xlsx] = lists.to_workbook(tables, clock.zone)
    if args.ical:
        folder, now = _folder(args.ical), datetime.now(UTC)
        names = dict(zip(machines, _file_names(machines), strict=True))
        written |= {str(folder / f"{names[m]}.ics"): to_ical(m, own, clock, now) for m, own in machines.items()}
    for path in written:
        check_writable(path)  # rather all than some of them
    for path, content in written.items():
        write_atomic(path, content)
    if args.json:
        print(json.dumps({"files": list(written), "timezone": clock.zone.key, "operations": len(lines)}))
    else:
        shown = ", ".join([*list(written)[:3], *([f"{len(written) - 3} more"] if len(written) > 3 else [])])
        print(f"{len(lines)} operations on {len(machines)} machines, times of {clock.zone.key}; wrote {shown}")
    return 0


def _folder(path: str) -> Path:
    folder = Path(path)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ShopError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    return folder


def _file_names(machines: Iterable[str]) -> list[str]:
    """A name for each machine that any file system takes, each another, in whatever case."""
    seen: set[str] = set()
    found = []
    for machine in machines:
        plain = name = re.sub(r"[^\w-]+", "-", machine)[:80].strip("-") or "machine"
        number = 1
        while name.casefold() in seen:
            number += 1
            name = f"{plain}-{number}"
        seen.add(name.casefold())
        found.append(name)
    return found
