"""How large the rows of `benchmarks/gpu.py` are, and the run of `gpu_train.py`: in full, and in small, for a CPU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How large the rows are."""

    selftest: float  # seconds after which it begins no other shop
    small_shop: tuple[int, int, int]  # jobs, machines, operations
    many: tuple[int, ...]  # environments of the small shop
    kernel: tuple[int, ...]  # of either shop, with an episode in one kernel
    versus: tuple[int, ...]  # of Jumanji's
    versus_rounds: int  # runs of each side
    reference: tuple[int, ...]
    acting: tuple[int, ...]
    unrolled: int  # of the reference, with several steps at a time
    stored: tuple[int, ...]
    steps: int  # of each random rollout
    acting_steps: int
    bred: tuple[int, int]  # schedules of a generation, generations
    shop: str
    update: tuple[str, ...]  # overrides of the config for the updates
    train: tuple[str, ...]  # and for the training run


FULL = Sizes(
    selftest=45.0,
    small_shop=(20, 10, 8),
    many=(65_536, 262_144),
    kernel=(4_096, 16_384, 65_536, 262_144),
    versus=(16_384, 65_536),
    versus_rounds=5,
    reference=(256, 4_096, 16_384),
    acting=(1_024, 4_096),
    unrolled=4_096,
    stored=(4_096, 16_384),
    steps=64,
    acting_steps=64,
    bred=(1_024, 4),
    shop="reference",
    update=(),
    train=(
        *("pool.count=256", "general.updates=200", "full.updates=0", "own.updates=150"),
        *("evaluation.baseline_seconds=1", "evaluation.plan_work=0", "evaluation.selection_shops=4"),
    ),
)
SMALL = Sizes(
    selftest=0.0,
    small_shop=(4, 3, 3),
    many=(8,),
    kernel=(32,),
    versus=(16,),
    versus_rounds=2,
    reference=(4,),
    acting=(4,),
    unrolled=4,
    stored=(4,),
    steps=4,
    acting_steps=4,
    bred=(4, 2),
    shop="family:flexible:1",
    update=(  # as tests/profiling/test_budget.py has it
        *("pool.count=2", "pool.machines=4", "pool.jobs=6", "general.updates=1", "general.shops=2"),
        *("full_pool.machines=4", "full_pool.jobs=6", "full.shops=2", "full.samples=2", "full.candidates=4"),
        *("general.samples=4", "general.candidates=8", "network.width=16", "ppo.minibatches=2", "ppo.microbatch=16"),
    ),
    train=(
        *("pool.count=2", "pool.machines=4", "pool.jobs=6", "ppo.minibatches=2"),
        *("general.shops=2", "general.samples=2"),
        *("general.updates=2", "full.updates=0", "own.updates=0", "own.samples=2", "own.candidates=4"),
        *("general.candidates=4", "network.width=8", "run.max_lot_hours=none", "run.target_hours=none"),
        *("evaluation.baseline_seconds=0.01", "evaluation.plan_work=0", "evaluation.selection_shops=2"),
        *("evaluation.samples=2", "evaluation.rule_seeds=1"),
    ),
)


@dataclass(frozen=True)
class Run:
    """What `gpu_train.py` trains and evaluates on."""

    overrides: tuple[str, ...]
    shops: tuple[tuple[float | None, tuple[str, ...]], ...]  # hours of the longest lot, and shops to evaluate on
    samples: int


FULL_RUN = Run(
    overrides=(
        *(f"mix.{bank}.count=256" for bank in ("jobs", "flexible", "lots")),
        *("mix.factory.count=48", "run.target_hours=none", "evaluation.kept_work=0"),
        *("evaluation.rule_seeds=4", "evaluation.baseline_seconds=1", "evaluation.plan_work=0"),
    ),
    shops=(
        (60.0, ("reference", *(f"reference:{k}" for k in range(1, 10)))),
        (
            None,
            tuple(  # the first of each family before the second of any
                f"family:{name}:{seed}"
                for seed in range(7)
                for name in ("jobshop", "flexible", "tight-centre", "identical", "recirculating", "flow")
            ),
        ),
    ),
    samples=64,
)
SMALL_RUN = Run(
    overrides=(
        *("run.shop=family:flexible:1", "run.max_lot_hours=none", "run.target_hours=none", "mix.updates=3"),
        *("mix.flexible.weight=0", "mix.factory.weight=0", "own.candidates=4", "ppo.minibatches=2"),
        *(f"mix.{bank}.{key}" for bank in ("jobs", "lots") for key in ("count=4", "operations=24", "kept=1")),
        *(f"mix.{bank}.{key}" for bank in ("jobs", "lots") for key in ("shops=2", "samples=2", "candidates=4")),
        *("evaluation.every=1", "evaluation.samples=2", "evaluation.kept_work=0", "evaluation.rule_seeds=1"),
        *("evaluation.baseline_seconds=0.01", "evaluation.plan_work=0"),
    ),
    shops=((None, ("family:flexible:1",)),),
    samples=2,
)
