"""Command lines whose errors are one line."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from jaxshop.support.errors import ShopError


class Parser(argparse.ArgumentParser):
    """argparse, but bad usage raises a ShopError instead of printing twice and ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong, with where to read more."""
        raise ShopError(f"{message}; see {self.prog} --help")


class CommandParser(Parser):
    """Of a command among others, which refuses by its own name what it does not know; argparse leaves that to the
    parser of them all."""

    def parse_known_args(self, *given: Any, **named: Any) -> Any:
        """Parse, and let nothing be unknown."""
        known, unknown = super().parse_known_args(*given, **named)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown
