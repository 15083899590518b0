"""The generalist trained and judged on one GPU, in so many minutes: `python benchmarks/gpu_train.py OUT --minutes 8`.

The self-test first, as `gpu.py` has it: where it fails nothing else is run and the exit code is 1. Then training, until
its share of the minutes is over: what it has learned by then is judged, chosen and exported as at any other end. Then
`jaxshop evaluate`, greedy and the best of samples, on the reference shops and on the families, by turns, as many as
there is time for. OUT gets the run folder (checkpoints, metrics.jsonl, curves.html), `policy/`, `evaluate.csv`, and
`summary.json`, written anew after each part, so that it tells what there is whatever becomes of the rest.

Needs what gpu.py needs. Few shops are generated and none is searched on, or that would take minutes; overrides of the
config come last and have the last word. `--small` does all of it in small, for a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean

from gpu import run_row
from gpu_rows import ROOT, ROWS, Result
from gpu_sizes import FULL_RUN, SMALL_RUN, Run

CONFIG = ROOT / "configs" / "generalist-gpu.toml"
AROUND = 90.0
"""Seconds of training's share before the first update, mostly to generate shops, and behind the last."""
EVALUATION = 0.25
"""Share of the minutes that is kept for it."""
GRACE = 20.0
"""Seconds in which a training run that is told to end saves what it has."""


def carry_out(command: Sequence[str], seconds: float) -> int | None:
    """The exit code of a process; None: it was told to end after so many seconds, or not begun as there are none."""
    if seconds <= 0.0:
        return None
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, *command], stdout=2, env=environ, start_new_session=True)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def train(out: Path, config: Path, overrides: Sequence[str], seconds: float) -> Result:
    """Train for so many seconds, and tell what the run came to."""
    updates = max(seconds - GRACE - AROUND, seconds / 3)
    ours = (f"run.runs_dir={out}", f"run.export_to={out / 'policy'}", f"stop.max_seconds={updates:.0f}")
    code = carry_out([str(ROOT / "train.py"), "--config", str(config), *ours, *overrides], seconds - GRACE)
    found: Result = {"exit_code": code}
    for metrics in out.glob("*/metrics.jsonl"):
        updates_done = len(metrics.read_text(encoding="utf-8").splitlines())
        found |= {"run": metrics.parent.name, "updates": updates_done}
        if (report := metrics.with_name("report.json")).exists():
            told = json.loads(report.read_text(encoding="utf-8"))
            kept = ("initialised_from", "policy", "gap_percent", "training_seconds", "compile_seconds", "env_steps")
            found |= {name: told[name] for name in (*kept, "env_steps_per_second", "device")}
    return found


def evaluate(out: Path, run: str, sizes: Run, until: float) -> Result:
    """Evaluate the chosen checkpoint until that moment, a shop after the other, and tell means by family."""
    table, codes = out / "evaluate.csv", []
    for lots, shops in sizes.shops:
        how = ["--checkpoint", str(out / run), "--samples", str(sizes.samples), "--csv", str(table), "--resume"]
        how += [] if lots is None else ["--max-lot-hours", f"{lots:g}"]
        codes.append(carry_out(["-m", "jaxshop.cli", "evaluate", *shops, *how], until - time.monotonic()))
    return {"exit_codes": codes, "gap_to_bound_percent": means(table)}


def means(table: Path) -> dict[str, dict[str, float]]:
    """Mean gaps by family and method, and the number of shops."""
    from jaxshop.views.evaluation import read_csv

    gaps: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in read_csv(str(table)) if table.exists() else ():
        gaps[line.family][line.method].append(line.derived["gap_to_bound_percent"])
    return {
        family: {"shops": max(map(len, found.values()))} | {name: round(fmean(x), 3) for name, x in found.items()}
        for family, found in gaps.items()
    }


def main() -> int:
    """Parse and carry out; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder that is not there yet, or empty")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="of the config")
    parser.add_argument("--minutes", type=float, default=8.0, help="of all (default 8)")
    parser.add_argument("--config", type=Path, default=CONFIG, help=f"default configs/{CONFIG.name}")
    parser.add_argument("--start", choices=("random", "shipped"), default="random", help="weights to begin with")
    parser.add_argument("--small", action="store_true", help="in small, for a CPU")
    args = parser.parse_intermixed_args()
    if args.out.exists() and any(args.out.iterdir()):
        parser.error(f"{args.out} is not empty")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what is running is ended, too
    return drive(args.out, SMALL_RUN if args.small else FULL_RUN, args)


def drive(out: Path, sizes: Run, args: argparse.Namespace) -> int:
    """Check the device, train, evaluate; returns the exit code."""
    begun, whole = time.monotonic(), 60.0 * args.minutes
    out.mkdir(parents=True, exist_ok=True)
    summary: Result = {"config": str(args.config), "start": args.start, "minutes": args.minutes}
    summary["overrides"] = args.overrides

    def tell(part: str, found: Result) -> None:
        summary[part] = found | {"seconds": round(time.monotonic() - begun, 1)}
        (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    limit, environ = min(ROWS[0].limit, whole / 4), os.environ | {"PYTHONPATH": str(ROOT)}
    device = {name: x for found in run_row(ROWS[0], args.small, limit, environ) for name, x in found.items()}
    tell("selftest", device)
    if not device.get("agrees"):
        return 1
    if device["platform"] == "cpu" and not args.small:
        print("there is only a CPU here: --small does all of it in small", file=sys.stderr)
        return 2
    start = [] if args.start == "random" else [f"run.start_from={args.start}"]
    left = (1.0 - EVALUATION) * whole - (time.monotonic() - begun)
    trained = train(out, args.config, [*sizes.overrides, *start, *args.overrides], left)
    tell("training", trained)
    if "run" not in trained:
        return 1
    evaluated = evaluate(out, trained["run"], sizes, begun + whole - GRACE)
    tell("evaluation", evaluated)
    print(out / "summary.json")
    return 0 if trained["exit_code"] == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
