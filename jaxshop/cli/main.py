"""The command line: parse, call, print. Bad input is one line on stderr and exit code 2."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from jaxshop import __version__
from jaxshop.shop import TICKS_PER_HOUR, fingerprint
from jaxshop.support.errors import ShopError

Run = Callable[[argparse.Namespace], int]

STORED = {None: "", True: " and the database", False: "; the database holds it already"}
"""What --write-back did, if it was asked for."""


class _Parser(argparse.ArgumentParser):
    """argparse, with errors in one line."""

    def error(self, message: str) -> NoReturn:
        raise ShopError(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """`jaxshop COMMAND`: returns the exit code."""
    return _guarded(lambda: _dispatch(argv))


def train_main(argv: Sequence[str] | None = None) -> int:
    """`train.py`: returns the exit code."""
    return _guarded(lambda: _train(argv))


def _guarded(run: Callable[[], int]) -> int:
    try:
        return run()
    except ShopError as error:
        print(f"error: {error}", file=sys.stderr)  # one line, as ShopError sees to
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _dispatch(argv: Sequence[str] | None) -> int:
    from jaxshop.cli.db import add_db, run_db
    from jaxshop.cli.profile import add_profile

    parser = _Parser(prog="jaxshop", description="A learned scheduler for flexible job shops.")
    parser.add_argument("--version", action="version", version=f"jaxshop {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_inspect, _add_solve, _add_verify, _add_evaluate):
        add(commands)
    add_profile(commands)
    add_db(commands)
    args = parser.parse_args(argv)
    if args.command == "db":
        return run_db(args)
    run: Run = args.run
    return run(args)


def _command(commands: Any, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="one JSON object on one line of stdout, all else on stderr")
    return parser


def _add_inspect(commands: Any) -> None:
    parser = _command(commands, "inspect", _inspect, "size, load, certified bounds, and whether a target can be met")
    parser.add_argument("shop", metavar="SHOP", help="reference, reference:K, mariadb:, or a .json, .txt or .fjs file")
    parser.add_argument("--target-hours", type=_positive, metavar="H")
    parser.add_argument("--max-lot-hours", type=_positive, metavar="H", help="cut jobs into lots of at most H hours")
    parser.add_argument("--out", metavar="FILE", help="write the (whole) shop as a shop file")


def _inspect(args: argparse.Namespace) -> int:
    from jaxshop.views.inspection import inspect_shop, inspection_lines

    shop = _load(args)
    report = inspect_shop(shop, args.max_lot_hours, args.target_hours)
    if args.out:
        from jaxshop.shop import shop_to_json
        from jaxshop.sources.snapshot import portable
        from jaxshop.support.files import write_atomic

        write_atomic(args.out, json.dumps(shop_to_json(portable(shop)), indent=1, ensure_ascii=False) + "\n")
    if args.json:
        print(json.dumps(report))
    else:
        print("\n".join(inspection_lines(shop, args.max_lot_hours, report)))
    return 0


def _add_solve(commands: Any) -> None:
    parser = _command(commands, "solve", _solve, "a verified schedule, by a policy or a rule")
    parser.add_argument("shop", metavar="SHOP")
    parser.add_argument("--max-lot-hours", type=_positive, metavar="H")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--checkpoint", metavar="DIR", help="a run folder; without it, the policy that ships with jaxshop")
    how.add_argument(
        "--rule", metavar="NAME", help="MWKR (non-delay), MWKR/active, SPT, LPT, LWKR, MOR, FIFO, EDD, random"
    )
    parser.add_argument(
        "--samples", type=_count, default=0, metavar="N", help="also draw N schedules and keep the best"
    )
    parser.add_argument("--time-limit", type=_positive, metavar="S", help="stop drawing after S seconds")
    parser.add_argument("--seed", type=_count, default=0)
    parser.add_argument("--out", required=True, metavar="FILE", help="where schedule.json goes")
    parser.add_argument("--gantt", metavar="FILE", help="also draw it as a page")
    parser.add_argument("--write-back", action="store_true", help="store it in the database it came from")


def _solve(args: argparse.Namespace) -> int:
    from jaxshop.policies.checkpoint import load_policy
    from jaxshop.schedule import write
    from jaxshop.search.compiled import solve
    from jaxshop.shop import split_lots
    from jaxshop.support.files import check_writable
    from jaxshop.views.gantt import write_gantt
    from jaxshop.views.tables import span

    if args.write_back and args.shop != "mariadb:":
        raise ShopError(f"--write-back: the shop must be mariadb:, not {args.shop}")
    for path in filter(None, (args.out, args.gantt)):
        check_writable(path)  # rather now than after the search, with one of two files written
    if args.write_back:
        from jaxshop.sources.mariadb.writer import check_write_back, write_back

        check_write_back()
    policy = None if args.rule else load_policy(args.checkpoint)
    shop = _load(args)
    plan = split_lots(shop, args.max_lot_hours)
    found = solve(plan, policy, args.rule, args.samples, args.seed, args.time_limit)
    write(args.out, found.schedule)
    if args.gantt:
        write_gantt(args.gantt, plan, found.schedule, found.bound, None)
    stored = None
    if args.write_back:
        stored = write_back(plan, found.schedule, found.source if policy is None else policy.id)
    gap = 100 * (found.makespan - found.bound) / found.bound if found.bound else None
    result = {
        "makespan_hours": found.makespan / TICKS_PER_HOUR,
        "lower_bound_hours": found.bound / TICKS_PER_HOUR,
        "gap_percent": gap,
        "source": found.source,
        "valid": True,
        "seconds": round(found.seconds, 3),
        "samples_done": found.samples_done,
        "fingerprint": found.schedule.fingerprint,
        "provenance": vars(shop.provenance),
        "stored": stored,
    }
    if args.json:
        print(json.dumps(result))
    else:
        over = "" if gap is None else f", {gap:.2f} % over the certified bound of {span(found.bound, shop.unit)}"
        print(
            f"{shop.name}: {span(found.makespan, shop.unit)}{over}, by {found.source} in {found.seconds:.1f} s; "
            f"wrote {args.out}{STORED[stored]}"
        )
    return 0


def _add_verify(commands: Any) -> None:
    parser = _command(commands, "verify", _verify, "check a schedule against its shop and list each violation")
    parser.add_argument("shop", metavar="SHOP")
    parser.add_argument("schedule", metavar="schedule.json")


def _verify(args: argparse.Namespace) -> int:
    from jaxshop.schedule import read, verify
    from jaxshop.shop import split_lots
    from jaxshop.views.tables import span

    schedule = read(args.schedule)
    shop = _load(args)
    violations = verify(split_lots(shop, schedule.max_lot_hours), schedule)
    if args.json:
        print(json.dumps({"valid": not violations, "violations": violations, "fingerprint": fingerprint(shop)}))
    elif violations:
        print("\n".join(violations))
        print(f"{args.schedule}: {len(violations)} violation{'s' if len(violations) > 1 else ''}")
    else:
        print(f"{args.schedule}: valid, {len(schedule.rows)} operations, makespan {span(schedule.makespan, shop.unit)}")
    return 1 if violations else 0


def _add_evaluate(commands: Any) -> None:
    parser = _command(commands, "evaluate", _evaluate, "makespans and gaps of a policy, and of rules, on several shops")
    parser.add_argument("shops", metavar="SHOP", nargs="+")
    parser.add_argument("--max-lot-hours", type=_positive, metavar="H")
    parser.add_argument("--checkpoint", metavar="DIR")
    parser.add_argument("--rules", action="store_true", help="also every dispatching rule")
    parser.add_argument(
        "--tuned-seconds",
        type=_positive,
        metavar="S",
        help="also a linear priority tuned for S seconds a shop",
    )
    parser.add_argument("--samples", type=_count, default=0, metavar="N")
    parser.add_argument("--seed", type=_count, default=0)
    parser.add_argument("--best-known", metavar="CSV", help="columns instance and upper_bound, matched by file name")


def _evaluate(args: argparse.Namespace) -> int:
    from jaxshop.policies.checkpoint import load_policy
    from jaxshop.search.compare import assess, read_best_known
    from jaxshop.training.callbacks import make_console
    from jaxshop.views.tables import evaluation_table

    policy = load_policy(args.checkpoint)
    known = read_best_known(args.best_known) if args.best_known else {}
    rows = [
        assess(spec, policy, args.max_lot_hours, args.rules, args.samples, args.seed, args.tuned_seconds, known)
        for spec in args.shops
    ]
    if args.json:
        print(json.dumps(rows))
    else:
        make_console(to_stderr=False).print(evaluation_table(rows))
    return 0


def _train(argv: Sequence[str] | None) -> int:
    from jaxshop.training.callbacks import make_console
    from jaxshop.training.start import start

    parser = _Parser(
        prog="train.py",
        description="Inspect the shop, train a policy, evaluate it, and save and report the result.",
        epilog="Exit codes: 0 done and target met; 2 bad input; 3 target not met; 130 or 143 interrupted and saved.",
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file (configs/reference.toml)")
    parser.add_argument("--resume", metavar="RUN", help="a run folder to go on with")
    parser.add_argument("--seed", type=_count, help="short for run.seed=N")
    parser.add_argument("--shop", help="short for run.shop=SHOP")
    parser.add_argument("--json", action="store_true", help="one JSON object on one line of stdout, all else on stderr")
    parser.add_argument(
        "overrides", nargs="*", metavar="section.key=value", help="overrides, such as ppo.learning_rate=1e-3"
    )
    args = parser.parse_intermixed_args(argv)
    overrides = list(args.overrides)
    if args.seed is not None:
        overrides.append(f"run.seed={args.seed}")
    if args.shop is not None:
        overrides.append(f"run.shop={json.dumps(args.shop)}")
    report, code = start(args.config, args.resume, overrides, make_console(to_stderr=args.json))
    if args.json and report:  # empty in processes that do not lead
        print(json.dumps(report))
    return code


def _load(args: argparse.Namespace) -> Any:
    """The shop that was named; one from the database is reported on first."""
    from jaxshop.sources.report import load_and_report

    return load_and_report(args.shop, getattr(args, "target_hours", None), sys.stderr if args.json else sys.stdout)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number > 0")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 2**31 - 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer from 0 to 2147483647")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
