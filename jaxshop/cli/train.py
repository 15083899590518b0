"""The command line of `train.py`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jaxshop.cli.arguments import count, positive, positive_count
from jaxshop.support.arguments import Parser


def rates(text: str) -> tuple[float, ...]:
    """Numbers above 0 between commas."""
    return tuple(positive(part) for part in text.split(","))


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
    parser.add_argument(
        "--seeds", type=positive_count, metavar="N", help="N runs in one program, of N seeds from run.seed"
    )
    parser.add_argument(
        "--learning-rates",
        type=rates,
        metavar="R,R,...",
        help="a run for each, and for each seed; of ppo.learning_rate",
    )
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
    command = "uv run train.py" if prog == "train.py" else prog
    console, several = make_console(to_stderr=args.json), (args.seeds, args.learning_rates or ())
    report, code = start(args.config, args.resume, overrides, console, *several, command)
    if args.json and report:  # empty in processes that do not lead
        print(json.dumps(report))
    return code
