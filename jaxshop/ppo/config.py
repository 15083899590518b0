"""What an update depends on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PPOConfig:
    """Proximal policy optimisation."""

    learning_rate: float = 1e-2
    final_rate: float = 0.1
    epochs: int = 2
    minibatches: int = 8
    microbatch: int | None = 128
    clip: float = 0.3
    entropy: float = 0.0
    value: float = 0.5
    discount: float = 1.0
    trace: float = 1.0
    max_grad_norm: float = 0.5
    averaging: float = 0.9


@dataclass(frozen=True)
class StageConfig:
    """A stage of training: `updates` PPO updates on `shops` shops of `samples` episodes each."""

    updates: int = 0
    shops: int = 1
    samples: int = 32
    candidates: int = 96
    learning_rate: float | None = None
