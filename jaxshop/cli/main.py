"""The command line: parse, call, print. Bad input is one line on stderr and exit code 2."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import time
from collections.abc import Callable, Sequence

from jaxshop.support.arguments import CommandParser, Parser
from jaxshop.support.errors import DeviceError, InvalidScheduleError, ShopError


def main(argv: Sequence[str] | None = None) -> int:
    """`jaxshop COMMAND`: returns the exit code."""
    code = _guarded(lambda: _run_command(argv))
    return code if argv is not None else _leave(code)


def train_main(argv: Sequence[str] | None = None) -> int:
    """`train.py`: returns the exit code."""
    return _guarded(lambda: _train(argv))


def _leave(code: int) -> int:
    """End the process's command; a search whose time is over may have left a compilation behind."""
    background = sys.modules.get("jaxshop.search.background")
    compiling = sys.modules.get("jaxshop.support.compiling")
    kernel = getattr(compiling, "copy", None)  # kept where all of them are; a thread may be importing it still
    kept = kernel is None or kernel.stats.cache_path is not None
    return code if background is None else int(background.leave(code, kept))


def _guarded(run: Callable[[], int]) -> int:
    try:
        try:
            return run()
        finally:
            print(end="", flush=True)  # what cannot be written is said here, not by Python at exit
    except ShopError as error:
        print(f"error: {error}", file=sys.stderr)  # one line, as ShopError sees to
        return 2
    except (InvalidScheduleError, DeviceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:  # XLA's, of a device that has too little memory
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        print(f"error: the device's memory is too small: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away
        _write_no_more()
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _write_no_more()
        print(f"error: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return 2


def _write_no_more() -> None:
    """Let go of stdout, at which Python would complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Version(argparse.Action):
    """Prints the version, which no other command has to read."""

    def __call__(self, parser: argparse.ArgumentParser, *told: object) -> None:
        from jaxshop import __version__

        print(f"jaxshop {__version__}")
        parser.exit()


def _train(argv: Sequence[str] | None, prog: str = "train.py") -> int:
    from jaxshop.cli.train import train

    return train(argv, prog)


def _serve(argv: Sequence[str]) -> int:
    from jaxshop.serving.server import main as serve

    return serve(argv, prog="jaxshop serve")


ENTIRE: dict[str, tuple[str, Callable[[Sequence[str]], int]]] = {
    "train": ("train a policy for a shop, as train.py", lambda argv: _train(argv, "jaxshop train")),
    "serve": ("serve schedules over HTTP, as serve.py", _serve),
}
"""Commands that read their arguments themselves, so that the scripts of the same name are the same commands."""


def _run_command(argv: Sequence[str] | None) -> int:
    begun = time.monotonic() - (time.process_time() if argv is None else 0.0)  # with the imports of the process
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv and argv[0] in ENTIRE:
        return ENTIRE[argv[0]][1](argv[1:])
    from jaxshop.cli.db import add_db, run_db  # here, as Ctrl-C while they are imported is told like any other
    from jaxshop.cli.evaluate import add_evaluate
    from jaxshop.cli.export import add_export
    from jaxshop.cli.imports import add_import
    from jaxshop.cli.inspect import add_inspect
    from jaxshop.cli.profile import add_profile
    from jaxshop.cli.reschedule import add_reschedule
    from jaxshop.cli.selftest import add_selftest
    from jaxshop.cli.simulate import add_simulate
    from jaxshop.cli.solve import add_solve
    from jaxshop.cli.verify import add_verify

    parser = Parser(prog="jaxshop", description="A learned scheduler for flexible job shops.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=CommandParser)
    adders = (
        *(add_import, add_inspect, add_solve, add_reschedule, add_verify, add_export),
        *(add_simulate, add_evaluate, add_profile, add_selftest, add_db),
    )
    for add in adders:
        add(commands)
    for name, (summary, _) in ENTIRE.items():
        commands.add_parser(name, help=summary)
    args = parser.parse_args(argv, argparse.Namespace(begun=begun))
    code: int = run_db(args) if args.command == "db" else args.run(args)
    return code
