"""Pooled lots whose features and units are weighed by what the shop is like: one set of weights for unlike shops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxshop.policies.networks.pooled import Pooled


@dataclass(frozen=True)
class Gated(Pooled):
    """Scores candidates as `Pooled` does; features and units of every layer are scaled by gates that read the context.

    What it is worth is in docs/training-experiments.md.
    """

    gates: ClassVar[bool] = True
