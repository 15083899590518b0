"""`jaxshop evaluate`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from jaxshop.cli.arguments import add_command, count, positive
from jaxshop.search.registry import METHODS
from jaxshop.support.errors import ShopError


def add_evaluate(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "evaluate", run_evaluate, "makespans and gaps of a policy, and of rules, on several shops"
    )
    parser.add_argument("shops", metavar="SHOP", nargs="+")
    parser.add_argument("--max-lot-hours", type=positive, metavar="H")
    parser.add_argument("--checkpoint", metavar="DIR")
    parser.add_argument("--rules", action="store_true", help="also every dispatching rule")
    parser.add_argument(
        "--tuned-seconds",
        type=positive,
        metavar="S",
        help="also a linear priority tuned for S seconds a shop",
    )
    parser.add_argument("--samples", type=count, default=0, metavar="N")
    parser.add_argument(
        "--method", action="append", choices=METHODS, metavar="NAME", help=f"also a method: {', '.join(METHODS)}"
    )
    parser.add_argument("--time-limit", type=positive, metavar="S", help="for each --method and shop")
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--best-known", metavar="CSV", help="columns instance and upper_bound, matched by file name")


def run_evaluate(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.policies.checkpoint import load_policy
    from jaxshop.search.compare import Comparison, assess, read_best_known
    from jaxshop.training.callbacks import make_console
    from jaxshop.views.tables import evaluation_table

    if "tune" in (args.method or ()) and args.time_limit is None:
        raise ShopError("--method tune: needs --time-limit")
    comparison = Comparison(
        load_policy(args.checkpoint),
        args.rules,
        args.samples,
        args.tuned_seconds,
        tuple(args.method or ()),
        args.time_limit,
        args.max_lot_hours,
        args.seed,
    )
    known = read_best_known(args.best_known) if args.best_known else {}
    rows = [assess(spec, comparison, known) for spec in args.shops]
    if args.json:
        print(json.dumps(rows))
    else:
        make_console(to_stderr=False).print(evaluation_table(rows))
    return 0
