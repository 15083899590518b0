"""The command line: parse, call, print, exit code."""

from jaxshop.cli.main import main, train_main

__all__ = ["main", "train_main"]
