"""Measure reading a shop from MariaDB: seconds to read, validate and fingerprint it, and peak memory.

    JAXSHOP_DB_... uv run --extra mariadb python benchmarks/mariadb_read.py [SCALE ...]

The environment names a database that holds none of the tables; its writer's account makes, fills and drops them.
A shop of scale N is the reference shop N times, its times divided by N, so that the horizon holds. Each read runs
in a process of its own, so that the peak is that of reading alone.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import replace

from jaxshop.shop import Operation, Shop, fingerprint
from jaxshop.sources.mariadb.connection import connect
from jaxshop.sources.mariadb.reader import read
from jaxshop.sources.mariadb.settings import load_settings
from jaxshop.sources.mariadb.writer import RESULT_TABLES, SHOP_TABLES, init, load
from jaxshop.sources.reference import reference_shop


def scaled(shop: Shop, scale: int) -> Shop:
    """Return `shop`, `scale` times as many jobs that each take one `scale`-th of the time."""

    def shorter(op: Operation, copy: int) -> Operation:
        durations = {machine: max(1, ticks // scale) for machine, ticks in op.alternatives.items()}
        return Operation(f"{op.id}#{copy}", durations, op.setup // scale)

    jobs = [
        replace(job, id=f"{job.id}#{copy}", operations=tuple(shorter(op, copy) for op in job.operations))
        for copy in range(scale)
        for job in shop.jobs
    ]
    return replace(shop, jobs=tuple(jobs))


def measure_read() -> None:
    """Read the database and print what it took as JSON."""
    start = time.perf_counter()
    reading = read()
    mark = fingerprint(reading.shop)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": sum(reading.counts.rows.values()), "s": seconds, "mb": peak, "fingerprint": mark}))


def main() -> None:
    """Measure every scale that was asked for."""
    print(f"{'scale':>6}{'rows':>11}{'load s':>9}{'read s':>9}{'us a row':>10}{'peak MB':>9}")
    for scale in map(int, sys.argv[1:] or ["1", "10", "100"]):
        shop = scaled(reference_shop(), scale)
        init()
        try:
            start = time.perf_counter()
            load(shop)
            seconds = time.perf_counter() - start
            reader = [sys.executable, __file__, "--read"]
            runs = [json.loads(subprocess.run(reader, check=True, capture_output=True).stdout) for _ in range(3)]
        finally:
            with connect(load_settings(), writer=True) as database:
                for table in reversed(SHOP_TABLES + RESULT_TABLES):
                    database.query(table, f"DROP TABLE `{table}`")
        best = min(runs, key=lambda run: run["s"])
        assert best["fingerprint"] == fingerprint(shop)
        row = 1e6 * best["s"] / best["rows"]
        print(
            f"{scale:>6}{best['rows']:>11,}{seconds:>9.2f}{best['s']:>9.2f}{row:>10.1f}{best['mb']:>9.0f}", flush=True
        )


if __name__ == "__main__":
    measure_read() if sys.argv[1:] == ["--read"] else main()
