"""What jaxshop does on one GPU, in at most 6 minutes: `python benchmarks/gpu.py > gpu.jsonl`.

A JSON line a result as it comes, the self-test first: where that fails, nothing else is run and the exit code is 1.
Every row is a process of its own with a time limit, so that one that hangs or takes all memory costs only itself, and
nothing that it has told; each starts cold, but for `target, warm cache`. Rows for which no time is left say so.

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
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

from gpu_rows import ROOT, ROWS, Result, Row
from gpu_sizes import FULL, SMALL, Sizes

sys.path.insert(0, str(ROOT))  # what a row imports

SECONDS = 350.0
"""Of the whole script, so that it ends within 6 minutes."""
LEAST = 4.0
"""Seconds under which no row is begun."""
AROUND = 60.0
"""Seconds of a training run before the first update and behind the last."""
TARGET_HOURS = 130.0


def tell(row: str, result: Result) -> None:
    """A result as a line; floats with four figures."""
    short = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in result.items()}
    print(json.dumps({"row": row} | short), flush=True)


def run_row(row: Row, small: bool, seconds: float, environ: dict[str, str]) -> list[Result]:
    """Run a row in a process of its own for so many seconds at most; tells each result as it comes, and what failed."""
    command = [sys.executable, __file__, "--row", row.name, *(["--small"] if small else [])]
    results: list[Result] = []

    def found(result: Result) -> None:
        tell(row.name, result)
        results.append(result)

    with tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=err, text=True, env=environ, start_new_session=True
        )
        assert process.stdout is not None
        late = threading.Timer(seconds, _end, (process,))
        begun = time.monotonic()
        late.start()
        try:
            for line in process.stdout:
                if line.startswith("{") and line.endswith("}\n"):  # one that was being written at the end is cut off
                    found(json.loads(line))
            process.wait()
        finally:
            late.cancel()
            _end(process)
            process.stdout.close()
        if process.returncode == -signal.SIGKILL and time.monotonic() - begun >= seconds:
            found({"error": f"not done after {seconds:.0f} s"})
        elif process.returncode and not any("error" in result for result in results):
            found({"error": _told_last(err) or f"exit code {process.returncode}"})
    return results


def _told_last(file: IO[str]) -> str:
    """The last line of what a process wrote."""
    file.seek(0)
    return next((line.strip() for line in reversed(file.read().splitlines()) if line.strip()), "")


def _end(process: subprocess.Popen[str]) -> None:
    """End a process, if it has not ended, with all that it started; some of that may outlive it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def train(row: Row, sizes: Sizes, seconds: float, environ: dict[str, str], to_target: bool) -> Result:
    """Train as gpu.toml says; tells when the target was met, by a clock that began before the process did.

    Unless it is watched only `to_target`, training ends soon enough for the run to judge it and report.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as runs:
        overrides = [*sizes.train, f"run.runs_dir={runs}", f"run.shop={sizes.shop}", "run.name=bench"]
        overrides += [] if to_target else [f"stop.max_seconds={max(seconds - AROUND, seconds / 3):.0f}"]
        command = [sys.executable, str(ROOT / "train.py"), "--config", str(ROOT / "configs" / "gpu.toml"), "--json"]
        with (Path(runs) / "stdout").open("w+") as out, (Path(runs) / "stderr").open("w+") as err:
            begun = time.monotonic()
            process = subprocess.Popen(
                [*command, *overrides], stdout=out, stderr=err, text=True, env=environ, start_new_session=True
            )
            met = first = None
            try:
                while process.poll() is None and time.monotonic() - begun < seconds:
                    lines = _metrics(Path(runs))
                    if lines and first is None:
                        first = time.monotonic() - begun
                    if met is None and any(line.get("own_hours", 1e9) <= TARGET_HOURS for line in lines):
                        met = time.monotonic() - begun
                        if to_target:
                            break
                        tell(row.name, {"seconds_to_target": met})  # whatever becomes of the rest
                    time.sleep(0.05)
                late = process.poll() is None
            finally:
                _end(process)
            found: Result = {"seconds_to_target": met, "seconds_to_first_update": first, "target_hours": TARGET_HOURS}
            if late:
                found |= {} if to_target and met is not None else {"error": f"not done after {seconds:.0f} s"}
            elif process.returncode not in (0, 3):
                found["error"] = _told_last(err) or f"exit code {process.returncode}"
            lines = _metrics(Path(runs))
            found |= {"updates": len(lines)} | _best(lines)
            if "error" not in found and (report := _told_last(out)):
                found |= _reported(json.loads(report))
    tell(row.name, found)
    return found


def _best(lines: list[Result]) -> Result:
    """The best that an evaluation came to, whatever the run's own report says later."""
    hours = [line["own_hours"] for line in lines if "own_hours" in line]
    return {"best_evaluated_hours": min(hours)} if hours else {}


def _reported(report: Result) -> Result:
    bound, policy = report["objective_bound_hours"], report["policy"]
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
    begun, sizes, longer = time.monotonic(), SMALL if small else FULL, total / SECONDS
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as warm,
    ):
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        for number, row in enumerate(rows):
            kept = min(1.0, longer) * sum(later.kept for later in rows[number + 1 :])
            left = total - (time.monotonic() - begun) - kept
            if left < LEAST:
                tell(row.name, {"left_out": "no time is left"})
                continue
            seconds = min(row.limit * max(1.0, longer), left)
            if row.run is None:
                again = row.name.endswith("warm cache")
                train(row, sizes, seconds, environ | {"JAX_COMPILATION_CACHE_DIR": warm}, to_target=again)
                continue
            results = run_row(row, small, seconds, environ | {"JAX_COMPILATION_CACHE_DIR": cache})
            if row.name == "selftest" and not any(result.get("agrees") for result in results):
                return 1
            if not small and any(result.get("platform") == "cpu" for result in results):
                tell("all", {"error": "there is only a CPU here: --small runs every row in small"})
                return 2
    tell("all", {"seconds": time.monotonic() - begun})
    return 0


def chosen(names: Sequence[str] | None, error: Callable[[str], NoReturn]) -> tuple[Row, ...]:
    """The self-test and the rows whose names begin so; None: all."""
    for name in names or ():
        if not any(row.name.startswith(name) for row in ROWS):
            error(f"--only: no row begins with {name!r}: {', '.join(repr(row.name) for row in ROWS)}")
    return ROWS if names is None else tuple(row for row in ROWS if row.name.startswith(("selftest", *names)))


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
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what is running is ended, too
        return drive(chosen(args.only, parser.error), args.small, args.seconds)
    return measured(next(row for row in ROWS if row.name == args.row), SMALL if args.small else FULL)


def measured(row: Row, sizes: Sizes) -> int:
    """A row in this process, a line a result; what fails is the last one. Returns the exit code."""
    from jaxshop.parallel.devices import start_devices

    assert row.run is not None
    try:
        start_devices()
        for result in row.run(sizes):
            print(json.dumps(result), flush=True)
    except Exception as error:  # whatever it is; a traceback would end with JAX's note about tracebacks
        told = str(error).strip().splitlines() or [""]
        print(json.dumps({"error": f"{type(error).__name__}: {told[0]}"}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
