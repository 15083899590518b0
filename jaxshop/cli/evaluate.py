"""`jaxshop evaluate`."""

from __future__ import annotations

import argparse
import glob
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from jaxshop.cli.arguments import PATIENCE, add_command, count, hours, positive, positive_count
from jaxshop.search.registry import METHODS
from jaxshop.support.errors import ShopError

ENDINGS = (".json", ".txt", ".fjs")
"""Of the files in a folder that are shops."""


def add_evaluate(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "evaluate", run_evaluate, "makespans and gaps of a policy, of rules and of methods, on several shops"
    )
    parser.add_argument("shops", metavar="SHOP", nargs="+", help="a shop, a folder of shop files, or a pattern of them")
    parser.add_argument("--max-lot-hours", type=hours, metavar="H")
    parser.add_argument("--checkpoint", metavar="DIR")
    parser.add_argument("--rules", action="store_true", help="also every dispatching rule")
    parser.add_argument(
        "--tuned-seconds",
        type=positive,
        metavar="S",
        help="also a linear priority tuned for S seconds a shop",
    )
    parser.add_argument("--samples", type=count, default=0, metavar="N")
    parser.add_argument("--patience", type=positive_count, metavar="N", help=PATIENCE)
    parser.add_argument(
        "--method",
        action="append",
        choices=METHODS,
        metavar="NAME",
        help=f"also a method: {', '.join(METHODS)}; without --checkpoint and --samples, instead of the policy",
    )
    parser.add_argument("--time-limit", type=positive, metavar="S", help="for each --method, seed and shop")
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--seeds", type=_some, default=1, metavar="N", help="median and spread over N seeds")
    parser.add_argument(
        "--best-known", metavar="CSV", help="columns instance, upper_bound and perhaps family, matched by file name"
    )
    parser.add_argument("--csv", metavar="FILE", help="a line for each result, written as soon as it is there")
    parser.add_argument("--markdown", metavar="FILE", help="a row for each shop, and means")
    parser.add_argument("--resume", action="store_true", help="go on with --csv: leave out what it has already")


def run_evaluate(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.cli.progress import one_by_one
    from jaxshop.search import warming
    from jaxshop.search.compare import Comparison, Instance, assess, read_best_known
    from jaxshop.search.cpsat import CpSat, import_ortools
    from jaxshop.search.solver import ENDLESS
    from jaxshop.support.files import check_outputs, write_atomic
    from jaxshop.training.callbacks import make_console
    from jaxshop.views.evaluation import means, read_csv, row_of, to_csv, to_markdown, with_best_bound
    from jaxshop.views.tables import evaluation_table, means_table

    methods = tuple(dict.fromkeys(args.method or ()))
    if args.time_limit is None and (endless := [name for name in methods if name in (*ENDLESS, "cpsat")]):
        raise ShopError(f"--method {endless[0]}: needs --time-limit")
    if args.time_limit is not None and not methods:
        raise ShopError("--time-limit: is for --method; say one, or leave it out")
    if args.patience and not (args.samples or "samples" in methods):
        raise ShopError("--patience: is for samples; say --samples or --method samples")
    if args.resume and not args.csv:
        raise ShopError("--resume: needs --csv, the table to go on with")
    if "cpsat" in methods:
        CpSat()  # what is missing is said before a shop is read
    shops = expand(args.shops)
    check_outputs((args.csv, args.markdown), (*shops, args.best_known))
    known = read_best_known(args.best_known) if args.best_known else {}
    lines = read_csv(args.csv) if args.resume and Path(args.csv).exists() else []
    policy = cache(lambda: _policy(args.checkpoint))
    comparison = Comparison(
        policy,
        args.checkpoint,
        args.rules,
        args.samples,
        args.patience,
        args.tuned_seconds,
        methods,
        args.time_limit,
        args.max_lot_hours,
        args.seed,
        args.seeds,
    )
    if comparison.with_policy:
        policy()  # a checkpoint that is none is refused before a shop is read
    rows = []
    # Every shop is read before the first search: one that is none must not end a night's work.
    instances = [Instance.load(spec, args.max_lot_hours, known) for spec in shops]
    if {"auto", "improve"} & set(methods):
        for instance in instances:
            warming.wait(instance.plan, None)  # reading or compiling kernels is no search
    for instance in instances if args.time_limit is not None else ():
        warming.import_solver(instance.plan)
    if "cpsat" in methods:
        import_ortools()
    for instance, tell in one_by_one(instances, lambda instance: instance.spec):
        place = (instance.spec, instance.fingerprint, comparison.settings)
        others = [line for line in lines if line.place != place]
        mine = [
            # Both may have been given since.
            replace(line, best_known=instance.best_known, family=instance.family)
            for line in lines
            if line.place == place
        ]
        for line in assess(instance, comparison, {line.method for line in mine}):
            mine = with_best_bound([*mine, line])
            lines = [*others, *mine]
            tell(f"{line.method} {line.cost:,.2f} in {line.seconds:.1f} s")
            if args.csv:
                write_atomic(args.csv, to_csv(lines))
        rows.append(row_of(mine))
    if args.markdown:
        write_atomic(args.markdown, to_markdown(rows, comparison.settings))
    if args.json:
        print(json.dumps(rows))
    else:
        console = make_console(to_stderr=False)
        console.print(evaluation_table(rows))
        if groups := means(rows):
            console.print(means_table(groups))
    return 0


def expand(specs: Sequence[str]) -> list[str]:
    """The shops that are named: each once, folders and patterns replaced by the shop files in them, sorted.

    Raises:
        ShopError: a folder or a pattern holds none.
    """
    return list(dict.fromkeys(shop for spec in specs for shop in _expanded(spec)))


def _expanded(spec: str) -> Iterator[str]:
    if os.path.isdir(spec):  # noqa: PTH112 - false, too, for what can be no name, which reading it tells
        found = sorted(str(file) for file in Path(spec).rglob("*") if file.suffix.lower() in ENDINGS)
        if not found:
            raise ShopError(f"{spec}: the folder holds no shop: no file that ends with {', '.join(ENDINGS)}")
        yield from found
    elif glob.has_magic(spec) and not os.path.exists(spec):  # noqa: PTH110 - as above
        found = sorted(glob.glob(spec, recursive=True))  # noqa: PTH207 - absolute patterns, too
        if not found:
            raise ShopError(f"{spec}: no file is named so")
        yield from found
    else:
        yield spec


def _some(text: str) -> int:
    """An integer from 1."""
    value = count(text)
    if not 1 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer from 1 to 10000")
    return value


def _policy(folder: str | None) -> Any:
    from jaxshop.policies.checkpoint import load_policy

    return load_policy(folder)
