"""The search methods by name: a new one is a file here and a line of `METHODS`."""

from __future__ import annotations

from collections.abc import Callable

from jaxshop.search.auto import InTurn, auto, improve
from jaxshop.search.beam import Beam
from jaxshop.search.cpsat import CpSat
from jaxshop.search.evolve import Evolvable, Evolve
from jaxshop.search.priority import Tune
from jaxshop.search.rules import Rules
from jaxshop.search.sampling import Greedy, Samples
from jaxshop.search.types import Method, Options
from jaxshop.support.errors import ShopError

METHODS: dict[str, Callable[[Evolvable, Options], Method]] = {
    "auto": auto,
    "improve": improve,
    "rules": lambda rollouts, options: Rules(rollouts),
    "greedy": lambda rollouts, options: Greedy(rollouts),
    "samples": lambda rollouts, options: InTurn(
        (Greedy(rollouts), Samples(rollouts, options.samples, options.patience))
    ),
    "beam": lambda rollouts, options: InTurn((Greedy(rollouts), Beam(rollouts, options.samples))),
    "evolve": lambda rollouts, options: Evolve(rollouts),
    "tune": lambda rollouts, options: Tune(rollouts),
    "cpsat": lambda rollouts, options: CpSat(options.start, workers=options.threads, bound=options.claimed),
}
"""By name: (rollouts, options) -> method."""


def method_named(name: str, rollouts: Evolvable, options: Options | None = None) -> Method:
    """The method of that name; raises ShopError, with the known ones."""
    if name not in METHODS:
        raise ShopError(f"method {name!r}: known are {', '.join(METHODS)}")
    return METHODS[name](rollouts, options or Options())
