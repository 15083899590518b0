"""`jaxshop profile`: throughput, compile time, memory, roofline, growth, and comparisons."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

TRACED_STEPS = 64
"""Of a rollout under --trace: every step looks the same, and what a viewer can open is soon full."""


def add_profile(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand's parser."""
    text = "throughput, compile time, memory, roofline"
    parser: argparse.ArgumentParser = commands.add_parser("profile", help=text, description=text)
    parser.set_defaults(run=run_profile)
    parser.add_argument("shop", metavar="SHOP", nargs="?", default="reference")
    parser.add_argument("--max-lot-hours", type=float, metavar="H", help="cut jobs into lots of at most H hours")
    parser.add_argument("--config", metavar="FILE", help="whose network and first stage the update is measured with")
    parser.add_argument(
        "--environments", type=int, default=64, metavar="N", help="in two phases, shared by the devices"
    )
    parser.add_argument("--steps", type=int, default=256, metavar="N", help="of each of those, at most the episode")
    parser.add_argument("--no-sweep", dest="sweep", action="store_false", help="leave out environments x shop sizes")
    parser.add_argument("--plot", metavar="FILE", help="draw the sweep as PNG")
    parser.add_argument("--versus", choices=("jumanji", "numba"), help="only compare, on equal work, in this process")
    parser.add_argument("--trace", metavar="DIR", help="write a profiler trace of each phase, run once, short")
    parser.add_argument("--history", metavar="FILE", help="add this profile to a file, as a line of JSON")
    parser.add_argument("--against", metavar="FILE", help="compare with the last line of such a file for this shop")
    parser.add_argument("--json", action="store_true", help="one JSON object on one line of stdout, all else on stderr")
    return parser


def run_profile(args: argparse.Namespace) -> int:
    """Measure and print; returns the exit code."""
    from rich.console import Console

    from jaxshop.env import make
    from jaxshop.parallel.devices import start_devices
    from jaxshop.parallel.mesh import cap_instructions, device_name, one_device_per_core
    from jaxshop.profiling import measure_roofline
    from jaxshop.profiling.history import add_line, earlier_line, line_of
    from jaxshop.profiling.phases import measure_phases
    from jaxshop.profiling.report import (
        WIDTH,
        against_table,
        draw_sweep,
        limit_table,
        limits_line,
        phase_table,
        sweep_table,
        versus_table,
    )
    from jaxshop.profiling.sweep import sweep
    from jaxshop.profiling.versus import require, versus_jumanji, versus_numba
    from jaxshop.shop import split_lots
    from jaxshop.sources.report import load_and_report
    from jaxshop.support.errors import ShopError
    from jaxshop.support.files import check_outputs, make_folder
    from jaxshop.training.callbacks import Ending
    from jaxshop.training.config import load_config
    from jaxshop.training.stages import check_devices

    if args.environments < 1 or args.steps < 1 or (args.max_lot_hours is not None and not args.max_lot_hours > 0):
        raise ShopError("profile: --environments, --steps and --max-lot-hours must be > 0")
    if args.plot and (args.versus or not args.sweep):
        raise ShopError("profile: --plot draws the sweep, so leave out --no-sweep and --versus")
    if (args.history or args.against) and (args.versus or args.trace):
        raise ShopError("profile: --history and --against are for profiles without --versus and --trace")
    check_outputs((args.plot,), (args.shop, args.config, args.history, args.against))
    check_outputs((args.history,), (args.shop, args.config))  # it may grow by what is compared with its last line
    if args.plot:
        require("matplotlib")  # before the minutes that the sweep takes, not after
    if args.trace:
        make_folder(args.trace)
    config = load_config(args.config)
    cap_instructions()
    if args.versus is None:
        one_device_per_core(*(lesson.settings.samples for lesson in config.lessons()))
        start_devices()
        check_devices(config)
    else:
        one_device_per_core()
        start_devices()
    out = sys.stderr if args.json else sys.stdout
    console = Console(file=out, width=None if out.isatty() else WIDTH, markup=False, emoji=False)
    step = Ending(Console(stderr=True)).step
    report: dict[str, Any] = {"device": device_name()}
    if args.versus == "jumanji":
        report["versus"] = list(versus_jumanji())
        console.print(versus_table(report["versus"]))
    else:
        plan = split_lots(load_and_report(args.shop, out=out), args.max_lot_hours)
        env, params = make(plan, config.own.candidates, config.env.passing)
        steps = min(args.steps, env.shape.operations, TRACED_STEPS if args.trace else args.steps)
        report["shop"] = {"name": plan.shop.name, "lots": env.shape.lots, "operations": env.shape.operations}
        if args.versus == "numba":
            work = f"{plan.shop.name}, {len(plan.lots)} lots"
            report["versus"] = versus_numba(env, params, work, args.environments, steps)
            console.print(versus_table(report["versus"]))
        else:
            report |= {"max_lot_hours": args.max_lot_hours, "environments": args.environments, "steps": steps}
            earlier = earlier_line(args.against, report) if args.against else None
            with step("measuring the device's limits"):
                roofline = measure_roofline(dtype=config.network.dtype)
            measured = measure_phases(env, params, config, roofline, args.environments, steps, args.trace, step)
            phases = list(measured)
            report |= {"roofline": roofline._asdict(), "phases": phases}
            console.print(limits_line(roofline), highlight=False)
            console.print(phase_table(phases))
            console.print(limit_table(phases))
            if earlier is not None:
                console.print(against_table(phases, earlier))
            if args.history:
                add_line(args.history, line_of(report))
            console.print(f"update / network's own passes: {phases[-1]['network_ratio']:.2f}", highlight=False)
            held, count = phases[-1]["experience_bytes"], phases[-1]["environments"]
            kilobytes = f"{held / count / 1e3:,.0f} kB an environment until it is learned from"
            console.print(f"experience of the update: {held / 1e6:,.1f} MB, {kilobytes}", highlight=False)
            if args.sweep:
                with step("sweeping environments and shops"):
                    report["sweep"] = sweep()
                console.print(sweep_table(report["sweep"]))
            if args.plot:
                draw_sweep(report["sweep"], args.plot)
    if args.json:
        print(json.dumps(report))
    return 0
