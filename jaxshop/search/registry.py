"""The search methods by name: a new one is a file here and a line of `METHODS`."""

from __future__ import annotations

from collections.abc import Callable

from jaxshop.search.auto import InTurn, auto
from jaxshop.search.priority import Tunable, Tune
from jaxshop.search.rules import Rules
from jaxshop.search.sampling import Greedy, Samples
from jaxshop.search.types import Method
from jaxshop.support.errors import ShopError

METHODS: dict[str, Callable[[Tunable, int | None], Method]] = {
    "auto": auto,
    "rules": lambda rollouts, samples: Rules(rollouts),
    "greedy": lambda rollouts, samples: Greedy(rollouts),
    "samples": lambda rollouts, samples: InTurn((Greedy(rollouts), Samples(rollouts, samples))),
    "tune": lambda rollouts, samples: Tune(rollouts),
}
"""By name: (rollouts, how many samples, None for as many as the stop allows) -> method."""


def method_named(name: str, rollouts: Tunable, samples: int | None) -> Method:
    """The method of that name; raises ShopError, with the known ones."""
    if name not in METHODS:
        raise ShopError(f"method {name!r}: known are {', '.join(METHODS)}")
    return METHODS[name](rollouts, samples)
