"""What jaxshop does on one GPU, in at most 6 minutes: `python benchmarks/gpu.py > gpu.jsonl`.

A JSON line a result as it comes, the self-test first: where that fails, nothing else is run and the exit code is 1.
Every row is a process of its own with a time limit, so that one that hangs or takes all memory costs only itself, and
each starts cold, but for `target, warm cache`. Rows for which no time is left say so.

Needs the sources beside it, and of packages JAX, Flax, optax, chex, orbax, NumPy, SciPy and rich; Jumanji's rows are
left out where it is not installed. Nothing is downloaded or installed. `--small` runs every row in small, for a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gpu_rows import FULL, ROOT, ROWS, SMALL, Result, Row, Sizes

sys.path.insert(0, str(ROOT))  # what a row imports

SECONDS = 350.0
"""Of the whole script, so that it ends within 6 minutes."""
LEAST = 4.0
"""Seconds under which no row is begun."""
TARGET_HOURS = 130.0


def tell(row: str, result: Result) -> None:
    """A result as a line; floats with four figures."""
    short = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in result.items()}
    print(json.dumps({"row": row} | short), flush=True)


def run_row(row: Row, small: bool, seconds: float, environ: dict[str, str]) -> list[Result]:
    """Run a row in a process of its own for so many seconds at most; tells its results, and what went wrong."""
    command = [sys.executable, __file__, "--row", row.name, *(["--small"] if small else [])]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=seconds)
        failed = None if process.returncode == 0 else _last_line(err) or f"exit code {process.returncode}"
    except subprocess.TimeoutExpired:
        out, _ = _end(process)
        failed = f"not done after {seconds:.0f} s"
    results = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    for result in results:
        tell(row.name, result)
    if failed is not None:
        tell(row.name, {"error": failed})
        results.append({"error": failed})
    return results


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """End a row's process with all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()


def train(row: Row, sizes: Sizes, seconds: float, environ: dict[str, str], to_target: bool) -> Result:
    """Train as gpu.toml says; tells when the target was met, by a clock that began before the process did."""
    with tempfile.TemporaryDirectory() as runs:
        overrides = [*sizes.train, f"run.runs_dir={runs}", f"run.shop={sizes.shop}", "run.name=bench"]
        command = [sys.executable, str(ROOT / "train.py"), "--config", str(ROOT / "configs" / "gpu.toml"), "--json"]
        with (Path(runs) / "stdout").open("w+") as out, (Path(runs) / "stderr").open("w+") as err:
            begun = time.monotonic()
            process = subprocess.Popen(
                [*command, *overrides], stdout=out, stderr=err, text=True, env=environ, start_new_session=True
            )
            met = first = None
            while process.poll() is None and time.monotonic() - begun < seconds:
                lines = _metrics(Path(runs))
                if lines and first is None:
                    first = time.monotonic() - begun
                if met is None and any(line.get("own_hours", 1e9) <= TARGET_HOURS for line in lines):
                    met = time.monotonic() - begun
                    if to_target:
                        break
                time.sleep(0.05)
            found: Result = {"seconds_to_target": met, "seconds_to_first_update": first, "target_hours": TARGET_HOURS}
            if process.poll() is None:
                _end(process)
                found |= {} if to_target and met is not None else {"error": f"not done after {seconds:.0f} s"}
            elif process.returncode not in (0, 3):
                err.seek(0)
                found["error"] = _last_line(err.read()) or f"exit code {process.returncode}"
            lines = _metrics(Path(runs))
            found |= {"updates": len(lines)} | _best(lines)
            out.seek(0)
            if report := _last_line(out.read()):
                found |= _reported(json.loads(report))
    tell(row.name, found)
    return found


def _best(lines: list[Result]) -> Result:
    """The best that an evaluation came to, whatever the run's own report says later."""
    hours = [line["own_hours"] for line in lines if "own_hours" in line]
    return {"best_evaluated_hours": min(hours)} if hours else {}


def _reported(report: Result) -> Result:
    bound, policy = report["lower_bound_hours"], report["policy"]
    return {
        "greedy_hours": policy["greedy_hours"],
        "greedy_percent": 100 * (policy["greedy_hours"] / bound - 1),
        "best_of_hours": policy["best_of_hours"],
        "best_of_percent": 100 * (policy["best_of_hours"] / bound - 1),
        "samples": policy["samples"],
        "training_seconds": report["training_seconds"],
        "compile_seconds": report["compile_seconds"],
        "wall_seconds": report["wall_seconds"],
        "operations": report["env_steps"],
    }


def _metrics(runs: Path) -> list[Result]:
    """What the run has logged so far; a line that is being written is left for later."""
    found = []
    for file in runs.glob("*/metrics.jsonl"):
        for line in file.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return found


def drive(rows: tuple[Row, ...], small: bool, total: float) -> int:
    """Run the rows one after the other; returns the exit code."""
    begun, sizes = time.monotonic(), SMALL if small else FULL
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as warm:
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        for row in rows:
            left = total - (time.monotonic() - begun)
            if left < LEAST:
                tell(row.name, {"left_out": "no time is left"})
                continue
            seconds = min(row.limit * max(1.0, total / SECONDS), left)
            if row.run is None:
                again = row.name.endswith("warm cache")
                train(row, sizes, seconds, environ | {"JAX_COMPILATION_CACHE_DIR": warm}, to_target=again)
                continue
            results = run_row(row, small, seconds, environ | {"JAX_COMPILATION_CACHE_DIR": cache})
            if row.name == "selftest" and not any(result.get("agrees") for result in results):
                return 1
    tell("all", {"seconds": time.monotonic() - begun})
    return 0


def main() -> int:
    """Parse and carry out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="every row in small, for a CPU")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="beginnings of the rows to run, after the self-test")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"of all (default {SECONDS:g}); more gives each row more"
    )
    parser.add_argument("--row", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row is None:
        chosen = ("selftest", *args.only) if args.only else ("",)
        return drive(tuple(row for row in ROWS if row.name.startswith(chosen)), args.small, args.seconds)
    row = next(row for row in ROWS if row.name == args.row)
    assert row.run is not None
    from jaxshop.parallel.devices import start_devices

    start_devices()
    for result in row.run(SMALL if args.small else FULL):
        print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
