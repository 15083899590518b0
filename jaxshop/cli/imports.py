"""`jaxshop import`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from jaxshop.cli.arguments import add_command


def add_import(commands: Any) -> None:
    """Add the command."""
    parser = add_command(commands, "import", run_import, "a shop file from tables of orders, routes and machines")
    parser.add_argument("files", metavar="FILE", nargs="+", help="CSV or XLSX; file or sheet says which table it is")
    parser.add_argument("--out", required=True, metavar="FILE", help="the shop file to write")
    parser.add_argument("--name", metavar="NAME", help="what the shop is called; else as the file to write")
    parser.add_argument("--plan-start", metavar="TIME", help="what dates count from, such as 2026-11-23T06:00+01:00")
    parser.add_argument("--timezone", metavar="ZONE", help="of dates without one, and of shifts: an IANA name")
    parser.add_argument(
        "--column", action="append", default=[], metavar="NAME=HEADER", help="the header of a column; TABLE.NAME=HEADER"
    )
    parser.add_argument(
        "--separator", choices=("comma", "semicolon", "tab", "bar"), help="of CSV files, where it is not found out"
    )
    parser.add_argument("--encoding", metavar="NAME", help="of CSV files; else UTF-8, or UTF-16 that says so")
    parser.add_argument("--decimal", choices=("point", "comma"), default="point", help="of numbers that are text")
    parser.add_argument("--skip-sheet", action="append", default=[], metavar="NAME", help="leave a sheet out")


def run_import(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.shop import fingerprint, shop_to_json
    from jaxshop.sources.tables import Reading, import_tables, parse_start, read_column
    from jaxshop.sources.tables.options import SEPARATORS, parse_zone
    from jaxshop.support.files import check_outputs, read_bytes, write_atomic

    zone = parse_zone(args.timezone) if args.timezone else None
    reading = Reading(
        plan_start=parse_start(args.plan_start, zone) if args.plan_start else None,
        zone=zone,
        headers=dict(map(read_column, args.column)),
        separator=SEPARATORS.get(args.separator),
        encoding=args.encoding,
        decimal_comma=args.decimal == "comma",
        skipped=frozenset(args.skip_sheet),
    )
    check_outputs((args.out,), args.files)
    files = {file: read_bytes(file) for file in args.files}
    shop, ignored, past = import_tables(files, reading, args.name or Path(args.out).stem)
    write_atomic(args.out, json.dumps(shop_to_json(shop), indent=1, ensure_ascii=False) + "\n")
    overdue = sum(job.due is not None and job.due < 0 for job in shop.jobs)
    facts = {
        "out": args.out,
        "fingerprint": fingerprint(shop),
        "plan_start": shop.plan_start,
        "machines": len(shop.machines),
        "jobs": len(shop.jobs),
        "operations": sum(len(job.operations) for job in shop.jobs),
        "ignored_columns": ignored,
        "in_the_past": past,
        "overdue": overdue,
    }
    if args.json:
        print(json.dumps(facts))
        return 0
    for place, headers in ignored.items():
        print(f"{place}: not read: {', '.join(headers)}")
    if past:
        print(f"{past} dates of release or availability are before the plan start and count from it")
    if overdue:
        print(f"{overdue} of {len(shop.jobs)} orders are due before the plan start: is --plan-start right?")
    size = f"{len(shop.machines)} machines, {len(shop.jobs)} orders, {facts['operations']} operations"
    print(f"{size}, plan start {shop.plan_start or 'not said'}; wrote {args.out}")
    return 0
