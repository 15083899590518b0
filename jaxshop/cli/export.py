"""`jaxshop export`."""

from __future__ import annotations

import argparse
import json
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
    from jaxshop.support.files import check_outputs, write_atomic
    from jaxshop.views.exports import exports_of

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
    if args.ical and shop.plan_start is None:
        raise ShopError(f"--ical: {args.shop} has no plan_start, so there are no dates")
    exports = exports_of(plan, schedule, parse_zone(args.timezone) if args.timezone else None)
    written: dict[Path, str | bytes] = {}
    if args.csv:
        folder = _folder(args.csv)
        written |= {folder / name: text for name, text in exports.lists().items()}
    if args.xlsx:
        written[Path(args.xlsx)] = exports.workbook()
    if args.ical:
        folder = _folder(args.ical)
        written |= {folder / name: text for name, text in exports.calendars(datetime.now(UTC)).items()}
    check_outputs(written, (args.shop, args.schedule))
    for path, content in written.items():
        write_atomic(path, content)
    files, zone = [str(path) for path in written], exports.clock.zone.key
    if args.json:
        print(json.dumps({"files": files, "timezone": zone, "operations": len(exports.lines)}))
    else:
        shown = ", ".join([*files[:3], *([f"{len(files) - 3} more"] if len(files) > 3 else [])])
        print(f"{len(exports.lines)} operations on {len(exports.machines)} machines, times of {zone}; wrote {shown}")
    return 0


def _folder(path: str) -> Path:
    folder = Path(path)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ShopError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    return folder
