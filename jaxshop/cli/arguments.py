"""What the commands share: the parser whose errors are one line, and the types of arguments."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable
from typing import Any

from jaxshop.shop import MAX_HOURS, TICKS_PER_HOUR
from jaxshop.support.arguments import Parser
from jaxshop.support.errors import ShopError

Run = Callable[[argparse.Namespace], int]

NUMBER = r"-?\d+(?:\.\d*)?|-?\.\d+"
"""How a number may be written that stands beside others."""

MAX_THREADS = 1024

PATIENCE = "draw no more samples once N in a row improve nothing"


def add_command(commands: Any, name: str, run: Run, text: str, loads: bool = False) -> Parser:
    """Add a command that `run` carries out, with `--json`, and what `load` asks for where it `loads` a shop."""
    parser: Parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="one JSON object on one line of stdout, all else on stderr")
    if loads:
        parser.add_argument("--report", action="store_true", help="of mariadb:, print all of the data report")
    return parser


def load(args: argparse.Namespace) -> Any:
    """The shop that was named; one from the database is reported on first."""
    from jaxshop.sources.report import DATABASE, load_and_report

    out = sys.stderr if args.json else sys.stdout
    if args.report and args.shop != DATABASE:
        raise ShopError(f"--report: is about {DATABASE}, not {args.shop}")
    return load_and_report(args.shop, getattr(args, "target_hours", None), out, args.report)


def positive(text: str) -> float:
    """A number above 0."""
    return _number(text, lambda value: 0 < value < math.inf, "> 0")


def hours(text: str) -> float:
    """Hours above 0."""
    return _number(text, lambda value: 0 < value <= MAX_HOURS, f"of hours > 0, at most {MAX_HOURS}")


def seconds(text: str) -> float:
    """A number from 0."""
    return _number(text, lambda value: 0 <= value < math.inf, ">= 0")


def _number(text: str, holds: Callable[[float], bool], wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not holds(value):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number {wanted}")
    return value


def count(text: str) -> int:
    """An integer from 0."""
    if not text.isdecimal() or int(text) > 2**31 - 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer from 0 to 2147483647")
    return int(text)


def positive_count(text: str) -> int:
    """An integer from 1."""
    if (number := count(text)) == 0:
        raise argparse.ArgumentTypeError("'0' must be an integer from 1 to 2147483647")
    return number


def threads(text: str) -> int:
    """How many searches go on side by side: each has memory of its own, so that a slip must not take all there is."""
    if (number := positive_count(text)) > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} must be at most {MAX_THREADS}")
    return number


def ticks(text: str) -> int:
    """Hours, as ticks."""
    value = float(text) if re.fullmatch(NUMBER, text) else math.nan
    if not abs(value) <= MAX_HOURS:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of hours, at most {MAX_HOURS}")
    return round(value * TICKS_PER_HOUR)


def weight(text: str) -> float:
    """A weight."""
    value = float(text) if re.fullmatch(NUMBER, text) else math.nan
    if not 0 <= value <= MAX_HOURS:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number from 0 to {MAX_HOURS}")
    return value
