"""`jaxshop inspect`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from jaxshop.cli.arguments import add_command, hours, load


def add_inspect(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "inspect", run_inspect, "size, load, certified bounds, and whether a target can be met", loads=True
    )
    parser.add_argument(
        "shop", metavar="SHOP", help="reference, reference:K, family:NAME:SEED, mariadb:, or a .json, .txt or .fjs file"
    )
    parser.add_argument("--target-hours", type=hours, metavar="H")
    parser.add_argument("--max-lot-hours", type=hours, metavar="H", help="cut jobs into lots of at most H hours")
    parser.add_argument("--out", metavar="FILE", help="write the (whole) shop as a shop file")


def run_inspect(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.support.files import check_outputs, write_atomic
    from jaxshop.views.inspection import inspect_shop, inspection_lines, inspection_report
    from jaxshop.views.tables import wrapped

    check_outputs((args.out,), (args.shop,))
    shop = load(args)
    inspection = inspect_shop(shop, args.max_lot_hours, args.target_hours)
    if args.out:
        from jaxshop.shop import shop_to_json
        from jaxshop.sources.snapshot import portable

        write_atomic(args.out, json.dumps(shop_to_json(portable(shop)), indent=1, ensure_ascii=False) + "\n")
    if args.json:
        print(json.dumps(inspection_report(inspection)))
    else:
        print("\n".join(map(wrapped, inspection_lines(inspection))))
    return 0
