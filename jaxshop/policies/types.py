"""What a policy network is to everybody who acts with one or trains one.

Dimensions: C candidates; `...` stands for batches.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import Observation


class Output(NamedTuple):
    """Scores of the candidates, and what the critic expects of the rest of the episode."""

    logits: Array  # float32 [..., C]; padding holds a large negative number
    value: Array  # float32 [...]


class Stored(Protocol):
    """What a network keeps of decisions until it has learned from them: a tree of arrays, this mask among them."""

    @property
    def candidate_mask(self) -> Array:
        """The candidates that were real, bool [..., C]."""
        ...


class Network(Protocol):
    """Scores the candidates of a decision. Its weights stand apart, so it is hashable and a static argument of jit.

    Rollouts store what `stored` gives, and act on what `restored` makes of that, as the loss does: both must see the
    same numbers.
    """

    def __hash__(self) -> int: ...

    def initialise(self, key: PRNGKey, obs: Observation | None = None) -> ArrayTree:
        """Random weights for observations like `obs`, those of the environment where that is None; `key` is consumed.

        No shape depends on the number of candidates.
        """
        ...

    def apply(self, weights: ArrayTree, seen: Any) -> Output:
        """Score the candidates of an observation or of what `restored` gives; leading dimensions are batches."""
        ...

    def stored(self, obs: Observation) -> Any:
        """The part of observations [...] that the network reads, a `Stored`, in the dtypes that it is kept in."""
        ...

    def restored(self, stored: Any) -> Any:
        """What was stored, in the dtypes that the network computes in."""
        ...

    def narrowed(self, stored: Any, columns: int) -> Any:
        """The first so many candidates of what was stored, [..., C]."""
        ...
