"""What an update depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from jaxshop.support.settings import COUNT, COUNT_OR_ZERO, INT32, POSITIVE, SHARE, Constraint, count

REPEATED = Constraint(
    lambda x: 2 <= x <= INT32,
    f"must be at least 2, as a sample is judged by the others of its shop, and at most {INT32}",
)


@dataclass(frozen=True)
class PPOConfig:
    """Proximal policy optimisation; `signal` is what tells good decisions from bad (`jaxshop.ppo.signals`)."""

    learning_rate: Annotated[float, POSITIVE] = 1e-2
    final_rate: Annotated[float, SHARE] = 0.1
    epochs: Annotated[int, COUNT] = 2
    minibatches: Annotated[int, COUNT] = 8
    microbatch: Annotated[int | None, COUNT] = 128
    clip: Annotated[float, POSITIVE] = 0.3
    entropy: Annotated[float, SHARE] = 0.0
    value: Annotated[float, SHARE] = 0.5
    discount: Annotated[float, SHARE] = 1.0
    trace: Annotated[float, SHARE] = 1.0
    max_grad_norm: Annotated[float, POSITIVE] = 0.5
    averaging: Annotated[float, SHARE] = 0.9
    signal: Literal["critic", "returns", "best"] = "critic"


@dataclass(frozen=True)
class ImitationConfig:
    """What comes before the first update: `steps` of learning to decide as searched schedules do; 0 leaves it out."""

    steps: Annotated[int, COUNT_OR_ZERO] = 0
    decisions: Annotated[int, count(1_000_000)] = 256
    learning_rate: Annotated[float, POSITIVE] = 1e-3
    work: Annotated[int, COUNT] = 100


@dataclass(frozen=True)
class StageConfig:
    """A stage of training: `updates` PPO updates on `shops` shops of `samples` episodes each."""

    updates: Annotated[int, COUNT_OR_ZERO] = 0
    shops: Annotated[int, COUNT] = 1
    samples: Annotated[int, REPEATED] = 32
    candidates: Annotated[int, COUNT] = 96
    learning_rate: Annotated[float | None, POSITIVE] = None
