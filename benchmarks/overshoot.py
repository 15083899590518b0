"""By how much `jaxshop solve` goes beyond its time limit, on cores that nothing else uses.

    uv run benchmarks/overshoot.py reference family:large:0 --time-limit 1.5 --runs 5 --max-lot-hours 60 --gantt g.html

Each run is a process, with kernels to read, not to compile, that tells by its own clock how long after the limit its
search ended, its file was written, and all was done. What is not known here goes to `jaxshop solve` as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

PARTS = ("search", "written file", "all")
CHILD = "--in-this-process"


def overshoot(arguments: list[str]) -> dict[str, float]:
    """Carry out `jaxshop solve` here; milliseconds from the end of its limit to that of each part."""
    from jaxshop import schedule
    from jaxshop.cli.main import main
    from jaxshop.search import solver

    ended: dict[str, float] = {}

    def timed(function: Callable, part: str) -> Callable:
        def call(*given, **named):
            asked = inspect.signature(function).bind(*given, **named).arguments
            if part == "search":
                ended["limit"] = asked["begun"] + asked["time_limit"]
            result = function(*given, **named)
            ended[part] = time.monotonic()
            return result

        return call

    solver.solve, schedule.write = timed(solver.solve, "search"), timed(schedule.write, "written file")
    with contextlib.redirect_stdout(sys.stderr):
        code = timed(main, "all")(["solve", *arguments])
    if code:
        raise SystemExit(code)
    return {part: 1e3 * (ended[part] - ended["limit"]) for part in PARTS}


def main() -> None:
    """Print the least, the median and the largest overshoot of each part for each shop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shops", nargs="+", metavar="SHOP")
    parser.add_argument("--time-limit", required=True, metavar="S")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    options, others = parser.parse_known_args()
    for shop in options.shops:
        runs = []
        for seed in range(options.runs):
            with tempfile.TemporaryDirectory() as folder:
                given = ["--time-limit", options.time_limit, "--seed", str(seed), "--out", f"{folder}/s.json"]
                command = [sys.executable, __file__, CHILD, shop, *given, *others]
                done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr.strip())
            runs.append(json.loads(done.stdout))
        figures = {part: sorted(run[part] for run in runs) for part in PARTS}
        told = (f"{part} {ms[0]:+.0f} {median(ms):+.0f} {ms[-1]:+.0f}" for part, ms in figures.items())
        print(f"{shop}, {options.runs} runs, ms over {options.time_limit} s (least, median, most):", "; ".join(told))


if __name__ == "__main__":
    if CHILD in sys.argv[1:2]:
        print(json.dumps(overshoot(sys.argv[2:])))
    else:
        main()
