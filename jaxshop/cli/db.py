"""`jaxshop db`: makes the tables, loads a shop into them, takes signed snapshots, lists and releases plans."""

from __future__ import annotations

import argparse
import getpass
import json
import re
import sys
from typing import Any

from jaxshop.cli.arguments import positive_count
from jaxshop.shop import fingerprint, shop_to_json
from jaxshop.sources import load_shop
from jaxshop.sources.snapshot import KEY, snapshot_key
from jaxshop.support.errors import ShopError
from jaxshop.support.files import check_writable, write_atomic

STATES = ("draft", "released", "superseded")
DIGITS = 12
"""Of an id, on the console."""


def add_db(subparsers: Any) -> None:
    """Add `db` and its actions to a parser's subcommands."""
    db = subparsers.add_parser(
        "db",
        help="make, fill and snapshot the MariaDB tables; list and release plans",
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
    listed = actions.add_parser("plans", parents=[parent], help="list the plans that are stored, the latest first")
    listed.add_argument("--status", choices=STATES, help="only those")
    listed.add_argument("--limit", type=positive_count, default=20, metavar="N", help="how many; else 20")
    released = actions.add_parser("release", parents=[parent], help="make a draft the plan that the floor works by")
    released.add_argument("plan", type=_id, metavar="ID", help="its schedule_id, or how that begins")
    released.add_argument(
        "--replaces", type=_id, metavar="ID", help="the plan that is released now, if another than when it was made"
    )
    released.add_argument("--by", metavar="NAME", help="who releases it; else the account of this machine")


def run_db(args: argparse.Namespace) -> int:
    """Run one action and return its exit code; bad input is raised as ShopError."""
    result, text = ACTIONS[args.action](args)
    print(json.dumps(result) if args.json else text)
    return 0


def _id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{8,64}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be the 8 to 64 first digits of a schedule_id: `jaxshop db plans`"
        )
    return text


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


def _plans(args: argparse.Namespace) -> tuple[dict, str]:
    from jaxshop.sources.mariadb.results import plans

    found = plans(args.limit, status=args.status)
    return {"plans": found}, "\n".join(_lines(found)) or "no plan is stored"


def _lines(found: list[dict[str, Any]]) -> list[str]:
    """A plan a line; the gap is the objective's."""

    def hours(value: float | None) -> str:
        return "" if value is None else f"{value:.2f} h"

    def line(plan: dict[str, Any]) -> str:
        gap = "" if plan["gap_percent"] is None else f"{plan['gap_percent']:.2f} %"
        late = "" if plan["late_jobs"] is None else plan["late_jobs"]
        made = (plan["author"] or plan["checkpoint_id"] or "")[:16]
        who = f"by {plan['released_by'] or '?'}" if plan["released_at"] else ""
        head = f"{plan['schedule_id'][:DIGITS]}  {plan['status']:<10}  {plan['created_at'][:16]}"
        figures = f"{hours(plan['makespan_h']):>10}  {hours(plan['objective_h']):>10}  {gap:>8}  {late:>4}"
        return f"{head}  {figures}  {made:<16}  {who}".rstrip()

    if not found:
        return []
    head = f"{'plan':<12}  {'status':<10}  {'made (UTC)':<16}"
    figures = f"{'makespan':>10}  {'objective':>10}  {'gap':>8}  late"
    return [f"{head}  {figures}  {'made by':<16}  released", *map(line, found)]


def _release(args: argparse.Namespace) -> tuple[dict, str]:
    from jaxshop.sources.mariadb.results import named, release

    by = args.by or _account()
    released = release(named(args.plan), by[:64], replaces=args.replaces and named(args.replaces))
    before = f", in place of {released.superseded[:DIGITS]}" if released.superseded else ""
    text = f"released {released.schedule_id[:DIGITS]}{before}: the floor works by it now"
    return released._asdict() | {"status": "released", "by": by}, text


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id of a container's own; which of the two is the version of Python's
        raise ShopError("db release: say --by NAME; this account has no name") from None


ACTIONS = {
    "init": _init,
    "upgrade": _upgrade,
    "load": _load,
    "snapshot": _snapshot,
    "plans": _plans,
    "release": _release,
}
