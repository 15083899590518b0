"""Configuration: frozen dataclasses, read from TOML, overridden from the command line; unknown keys are refused."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PPOConfig:
    """Proximal policy optimisation."""

    learning_rate: float = 1e-3
    final_rate: float = 0.1
    epochs: int = 2
    minibatches: int = 16
    clip: float = 0.2
    entropy: float = 0.003
    value: float = 0.5
    discount: float = 1.0
    trace: float = 1.0
    max_grad_norm: float = 0.5
    averaging: float = 0.98
