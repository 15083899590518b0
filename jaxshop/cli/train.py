"""The command line of `train.py`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jaxshop.cli.arguments import count
from jaxshop.support.arguments import Parser


def train(argv: Sequence[str] | None, prog: str = "train.py") -> int:
    """Parse and carry out; returns the exit code."""
    from jaxshop.training.callbacks import make_console
    from jaxshop.training.start import start

    parser = Parser(
        prog=prog,
        description="Inspect the shop, train a policy, evaluate it, and save and report the result.",
        epilog="Exit codes: 0 done and target met; 1 an invalid schedule, or a device that errs; 2 bad input; "
        "3 target not met; 130 or 143 interrupted and saved.",
    )
    parser.add_argument(
        "--config", metavar="FILE", help="a TOML file (configs/reference.toml, or its values where there is none)"
    )
    parser.add_argument("--resume", metavar="RUN", help="a run folder to go on with")
    parser.add_argument("--seed", type=count, help="short for run.seed=N")
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
