"""What the generalist's parts are worth: short runs that differ in one thing, three seeds each, as a Markdown table.

uv run benchmarks/ablation.py FOLDER [VARIANT...]     # runs that are in the folder already are not made again

Each run is 40 updates on small job shops, flexible shops and work centres. The figure is the mean greedy gap of kept
shops of their nine makes to the best makespans that search finds, after the last update; seconds are of processor time.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

SEEDS = (0, 1, 2)
UPDATES = 40
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
IMITATION = "imitation"
"""A folder beside the runs: where `benchmarks/imitation.py` writes its weights, by seed."""

VARIANTS: dict[str, Sequence[str]] = {
    "gated, critic": (),
    "pooled": ("network.kind=pooled",),
    "attention": ("network.kind=attention",),
    "three layers": ("network.depth=3",),
    "without critic": ("ppo.signal=returns",),
    "best of the samples": ("ppo.signal=best",),
    "imitation alone": ("ppo.learning_rate=1e-9", "mix.updates=1"),
    "imitation, then critic": (),
}


def imitated(folder: Path, seed: int) -> Path:
    """Weights that imitate search, made if they are not there."""
    found = folder / f"{IMITATION}-{seed}"
    if not found.exists():
        program = [sys.executable, "benchmarks/imitation.py", str(found), *SETTINGS, f"run.seed={seed}"]
        subprocess.run(program, check=True)
    return found


def run(folder: Path, variant: str, seed: int) -> tuple[float, float]:
    """The kept gap in percent after the last update, and seconds of processor time, compilation included."""
    record = folder / f"{variant.replace(' ', '-').replace(',', '')}-{seed}.json"
    if not record.exists():
        overrides = [f"mix.updates={UPDATES}", *SETTINGS, *VARIANTS[variant], f"run.seed={seed}"]
        if variant.startswith(IMITATION):
            overrides.append(f"run.start_from={imitated(folder, seed)}")
        runs = folder / record.stem
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        program = [
            sys.executable,
            "train.py",
            "--config",
            "configs/generalist.toml",
            f"run.runs_dir={runs}",
            *overrides,
        ]
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        (metrics,) = runs.glob("*/metrics.jsonl")
        last = json.loads(metrics.read_text().splitlines()[-1])
        kept = [value for key, value in last.items() if key.startswith("kept/")]
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        record.write_text(json.dumps({"kept": 100 * mean(kept), "seconds": seconds}))
    found = json.loads(record.read_text())
    return found["kept"], found["seconds"]


def main() -> None:
    """Run what is asked for, and print the table of all that is in the folder."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    asked = sys.argv[2:] or list(VARIANTS)
    found: dict[str, list[tuple[float, float]]] = {variant: [] for variant in asked}
    for seed in SEEDS:
        for variant in asked:
            found[variant].append(run(folder, variant, seed))
            print(f"{variant}, seed {seed}: {found[variant][-1][0]:.2f} %", file=sys.stderr, flush=True)
    print("| variant | seeds 0, 1, 2 | mean | spread | CPU s a run |\n|---|---|---:|---:|---:|")
    for variant, results in found.items():
        gaps = [gap for gap, _ in results]
        each, seconds = " ".join(f"{gap:.2f}" for gap in gaps), mean(seconds for _, seconds in results)
        print(f"| {variant} | {each} | {mean(gaps):.2f} | {stdev(gaps):.2f} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
