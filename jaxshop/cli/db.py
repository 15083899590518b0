"""`jaxshop db`: makes the tables, loads a shop into them, and takes signed snapshots."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from jaxshop.shop import fingerprint, shop_to_json
from jaxshop.sources import load_shop
from jaxshop.sources.snapshot import KEY, snapshot_key
from jaxshop.support.errors import ShopError
from jaxshop.support.files import check_writable, write_atomic


def add_db(subparsers: Any) -> None:
    """Add `db` and its actions to a parser's subcommands."""
    db = subparsers.add_parser(
        "db",
        help="make, fill and snapshot the MariaDB tables",
        description="Settings and passwords come from JAXSHOP_DB_* in the environment, or an option file.",
    )
    actions = db.add_subparsers(dest="action", required=True)
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", action="store_true", help="one JSON object on one line of stdout")
    made = actions.add_parser("init", parents=[parent], help="make the tables; existing ones are not touched")
    made.add_argument(
        "--results-only", action="store_true", help="only those for schedules, where views stand for the shop"
    )
    actions.add_parser(
        "upgrade", parents=[parent], help="bring the tables for schedules of earlier versions up to date"
    )
    filled = actions.add_parser("load", parents=[parent], help="write a shop into the empty tables")
    filled.add_argument("shop", metavar="SHOP", help="reference, reference:K or a file")
    taken = actions.add_parser("snapshot", parents=[parent], help="write the database's shop to a signed file")
    taken.add_argument("out", metavar="OUT", help="the shop file to write")


def run_db(args: argparse.Namespace) -> int:
    """Run one action and return its exit code; bad input is raised as ShopError."""
    result, text = {"init": _init, "upgrade": _upgrade, "load": _load, "snapshot": _snapshot}[args.action](args)
    print(json.dumps(result) if args.json else text)
    return 0


def _init(args: argparse.Namespace) -> tuple[dict, str]:
    from jaxshop.sources.mariadb.writer import init

    tables = init(results_only=args.results_only)
    return {"created": tables}, f"made the tables {', '.join(tables)}"


def _upgrade(args: argparse.Namespace) -> tuple[dict, str]:
    from jaxshop.sources.mariadb.writer import upgrade

    made = upgrade()
    return {"created": made}, f"the tables for schedules are up to date; made {', '.join(made) or 'none'}"


def _load(args: argparse.Namespace) -> tuple[dict, str]:
    from jaxshop.sources.mariadb.values import iso
    from jaxshop.sources.mariadb.writer import load

    shop = load_shop(args.shop)
    start = iso(load(shop))
    result = {
        "shop": shop.name,
        "fingerprint": fingerprint(shop),
        "plan_start": start,
        "machines": len(shop.machines),
        "jobs": len(shop.jobs),
    }
    text = f"loaded {shop.name}: {len(shop.machines)} machines, {len(shop.jobs)} jobs, plan start {start}"
    return result, f"{text}, fingerprint {result['fingerprint']}"


def _snapshot(args: argparse.Namespace) -> tuple[dict, str]:
    """Write a snapshot; one without a signature would never count as real data, so none is written."""
    from jaxshop.sources.report import data_report, keep_scale, read_and_report

    if snapshot_key() is None:
        raise ShopError(f"db snapshot: set {KEY}, which signs the file; `inspect mariadb: --out` needs no key")
    check_writable(args.out)  # rather now than after the read
    shop = read_and_report(full=True)
    write_atomic(args.out, json.dumps(shop_to_json(shop), ensure_ascii=False, indent=1) + "\n")
    keep_scale(data_report(shop), sys.stderr)
    provenance = shop.provenance
    result = {"out": args.out, "fingerprint": fingerprint(shop), "taken_at": provenance.taken_at}
    return result, f"wrote {args.out}: {provenance.detail} as of {provenance.taken_at}, signed"
