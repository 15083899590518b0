"""`jaxshop verify`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from jaxshop.cli.arguments import add_command, load
from jaxshop.shop import fingerprint


def add_verify(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "verify", run_verify, "check a schedule against its shop and list each violation", loads=True
    )
    parser.add_argument("shop", metavar="SHOP")
    parser.add_argument("schedule", metavar="schedule.json")


def run_verify(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.schedule import read, verify
    from jaxshop.shop import span, split_lots

    schedule = read(args.schedule)
    shop = load(args)
    violations = verify(split_lots(shop, schedule.max_lot_hours), schedule)
    if args.json:
        print(json.dumps({"valid": not violations, "violations": violations, "fingerprint": fingerprint(shop)}))
    elif violations:
        print("\n".join(violations))
        print(f"{args.schedule}: {len(violations)} violation{'s' if len(violations) > 1 else ''}")
    else:
        print(f"{args.schedule}: valid, {len(schedule.rows)} operations, makespan {span(schedule.makespan, shop.unit)}")
    return 1 if violations else 0
