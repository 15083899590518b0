"""Command lines whose errors are one line."""

from __future__ import annotations

import argparse
from typing import NoReturn

from jaxshop.support.errors import ShopError


class Parser(argparse.ArgumentParser):
    """argparse, but bad usage raises a ShopError instead of printing twice and ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong, with where to read more."""
        raise ShopError(f"{message}; see {self.prog} --help")
