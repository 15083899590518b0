"""What the generalist's parts are worth: short runs that differ in one thing, three seeds each, as a Markdown table.

uv run benchmarks/ablation.py FOLDER [VARIANT...]     # runs that are in the folder already are not made again

Each run is 30 updates on small job shops, flexible shops and work centres; the seeds of a variant are trained in one
program, on the same shops. The figure is the mean greedy gap of kept shops of their nine makes to the best makespans
that search finds, after the last update.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

SEEDS = 3
UPDATES = 30
SETTINGS = (
    *(
        f"mix.{bank}.{key}"
        for bank in ("jobs", "flexible", "lots")
        for key in ("operations=150", "count=96", "shops=6")
    ),
    "mix.factory.weight=0",
    f"evaluation.every={UPDATES}",
    "evaluation.kept_work=100",
    "evaluation.baseline_seconds=1",
    "evaluation.samples=2",
    "evaluation.plan_work=0",
    "run.shop=family:jobshop:7",
    "run.target_hours=none",
)
IMITATION = ("imitation.steps=1000", "imitation.learning_rate=4e-3")
VARIANTS: dict[str, Sequence[str]] = {
    "gated, critic": (),
    "pooled": ("network.kind=pooled",),
    "attention": ("network.kind=attention",),
    "three layers": ("network.depth=3",),
    "half as wide": ("network.width=32",),
    "twice as wide": ("network.width=128",),
    "no entropy bonus": ("ppo.entropy=0",),
    "twice the entropy bonus": ("ppo.entropy=0.02",),
    "without critic": ("ppo.signal=returns",),
    "best of the samples": ("ppo.signal=best",),
    "imitation alone": (*IMITATION, "ppo.learning_rate=1e-9", "mix.updates=1"),
    "imitation, then critic": IMITATION,
}


def run(folder: Path, variant: str) -> tuple[list[float], float]:
    """The kept gaps in percent after the last update, by seed, and seconds of processor time of all seeds together."""
    record = folder / f"{variant.replace(' ', '-').replace(',', '')}.json"
    if not record.exists():
        overrides = [f"mix.updates={UPDATES}", *SETTINGS, *VARIANTS[variant]]
        runs = folder / record.stem
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        config = ["--config", "configs/generalist.toml", "--seeds", str(SEEDS), f"run.runs_dir={runs}"]
        subprocess.run([sys.executable, "train.py", *config, *overrides], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        gaps = [_kept(metrics) for metrics in sorted(runs.glob("*/seed-*/metrics.jsonl"))]
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        record.write_text(json.dumps({"kept": gaps, "seconds": seconds}))
    found = json.loads(record.read_text())
    return found["kept"], found["seconds"]


def _kept(metrics: Path) -> float:
    """Mean over the makes, in percent, after the last update."""
    last = json.loads(metrics.read_text().splitlines()[-1])
    return 100 * mean(value for key, value in last.items() if key.startswith("kept/"))


def main() -> None:
    """Run what is asked for, and print the table of all that is in the folder."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for variant in sys.argv[2:] or VARIANTS:
        found[variant] = run(folder, variant)
        print(variant, *(f"{gap:.2f} %" for gap in found[variant][0]), file=sys.stderr, flush=True)
    print(f"| variant | seeds 0 to {SEEDS - 1} | mean | spread | CPU s of all |\n|---|---|---:|---:|---:|")
    for variant, (gaps, seconds) in found.items():
        each = " ".join(f"{gap:.2f}" for gap in gaps)
        print(f"| {variant} | {each} | {mean(gaps):.2f} | {stdev(gaps):.2f} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
