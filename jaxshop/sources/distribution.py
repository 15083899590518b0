"""The distribution that a generalist is trained on: makes of shops, each a family whose parameters are drawn anew.

A make gives shops of about as many operations as asked for, so that those of a bank waste little of their common
arrays. It never gives an evaluation shop: those are drawn by seeds of other streams (`jaxshop.sources.families`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from jaxshop.shop import Objective, Provenance, Shop
from jaxshop.sources.families import FAMILIES, Family, Range, log_uniform, make_shop
from jaxshop.sources.generator import generate_shop, random_spec
from jaxshop.sources.plant import dress

DISTRIBUTION_VERSION = 1
"""Changes whenever the same make, seed and number of operations would give another shop."""


@dataclass(frozen=True)
class Make:
    """Shops of one kind.

    Attributes:
        family: what is not drawn; None for shops of the reference's make.
        machines: how many, drawn log-uniformly.
        draws: parameters of the family that are drawn for each shop, each with what it is drawn from, evenly.
        dressed: whether its shops have the plant's own rules: two shifts, and families that need set-ups.
        lateness: weight of weighted tardiness beside the makespan, of shops that have due dates and weights besides.
    """

    family: Family | None
    machines: Range
    draws: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    dressed: bool = False
    lateness: float = 0.0


BOTH, LATENESS_ABOVE_ALL = 0.02, 0.2
"""Weights of weighted tardiness: with the first, it and the makespan count for about as much."""

_ANY_MACHINE = Family((5, 20), (2, 999), centre=None, minutes=(1, 99), longest=None)
_SPREADS = (0.0, 0.0, 0.3, 1.0)
_RELEASED: Mapping[str, tuple[Any, ...]] = {"released_late": (0.0, 0.0, 0.5, 0.9), "machines_late": (0.0, 0.0, 0.2)}
_TIGHT: Mapping[str, tuple[Any, ...]] = {"tight_load": (1.1, 1.3, 1.6), "spread": (0.0, 0.2, 0.4, 0.8), **_RELEASED}

MAKES: dict[str, Make] = {
    "jobshop": Make(FAMILIES["jobshop"], (6, 20), {"minutes": ((1, 99), (1, 99), (10, 99))}),
    "routes": Make(
        replace(FAMILIES["jobshop"], route="drawn"),
        (6, 20),
        {"steps": ((2, 6), (4, 10), (6, 16)), "minutes": ((1, 99), (1, 20), None), **_RELEASED},
    ),
    "sparse": Make(
        _ANY_MACHINE,
        (5, 15),
        {"steps": ((5, 5), (8, 12), (10, 15)), "alternatives": ((1, 1), (1, 2), (1, 2), (1, 3)), "spread": (0.0, 0.3)},
    ),
    "flexible": Make(
        _ANY_MACHINE,
        (4, 20),
        {
            "steps": ((3, 7), (5, 10), (8, 15)),
            "alternatives": ((1, 3), (1, 6), (2, 5), (3, 8)),
            "spread": (0.0, 0.5, 1.0, 2.0),
            "minutes": ((1, 99), (1, 20), (1, 10)),
            **_RELEASED,
        },
    ),
    "flow": Make(FAMILIES["flow"], (8, 30), {"centre": ((1, 3), (2, 6)), "spread": _SPREADS}),
    "recirculating": Make(
        FAMILIES["recirculating"],
        (8, 30),
        {"steps": ((6, 10), (8, 20)), "centre": ((1, 3), (2, 6)), "spread": _SPREADS},
    ),
    "identical": Make(
        FAMILIES["identical"], (15, 50), {"centre": ((1, 4), (2, 6), (4, 12)), "steps": ((1, 4), (2, 6))}
    ),
    "tight-centre": Make(replace(FAMILIES["tight-centre"], centre=(2, 6), tight=(2, 4)), (15, 40), _TIGHT),
    "reference": Make(None, (18, 40)),
    # All of a centre's machines may run its operations: subsets make an array of sets that costs half of the step.
    "tight-factory": Make(replace(FAMILIES["tight-centre"], centre=(2, 8), alternatives=None), (80, 150), _TIGHT),
    "identical-factory": Make(replace(FAMILIES["identical"], centre=(2, 20)), (80, 150), {"shape": (0.6, 0.8, 1.2)}),
    "reference-factory": Make(None, (120, 150)),
    "plant-reference": Make(None, (18, 40), dressed=True),
    "plant-identical": Make(FAMILIES["identical"], (15, 50), {"steps": ((1, 4), (2, 6))}, dressed=True),
    "plant-flow": Make(FAMILIES["flow"], (8, 30), {"centre": ((1, 3), (2, 6)), "spread": _SPREADS}, dressed=True),
    "plant-due": Make(FAMILIES["identical"], (15, 50), {"steps": ((1, 4), (2, 6))}, dressed=True, lateness=BOTH),
    "plant-promised": Make(None, (18, 40), dressed=True, lateness=LATENESS_ABOVE_ALL),
    "plant-factory": Make(None, (120, 150), dressed=True, lateness=LATENESS_ABOVE_ALL),
}
"""By name, from job shops to the factory's size, and with the plant's own rules. Shops of `sparse` and `flexible`
choose from all machines."""


def draw_shop(seed: list[int], make: str, operations: int) -> Shop:
    """The shop of a make, the same for the same arguments; milliseconds for one of the factory's size.

    Args:
        seed: words that keep streams apart.
        make: a key of `MAKES`.
        operations: how many the shop has, give or take a few routes.
    """
    rng = np.random.default_rng([*seed, *make.encode()])
    chosen, name = MAKES[make], f"{make}:{'.'.join(map(str, seed))}"
    machines = log_uniform(rng, chosen.machines)
    if chosen.family is None:
        jobs = max(6, round(operations / 3.1))
        shop = generate_shop(rng, random_spec(rng, machines, jobs), name)
    else:
        drawn = {key: values[rng.integers(len(values))] for key, values in chosen.draws.items()}
        family = replace(chosen.family, machines=(machines, machines), **drawn)
        jobs, state = max(2, operations // 6), rng.bit_generator.state
        for _ in range(3):  # how long routes are shows when they are drawn
            rng.bit_generator.state = state
            shop = make_shop(rng, replace(family, jobs=(jobs, jobs)), name)
            jobs = max(2, round(jobs * operations / sum(len(job.operations) for job in shop.jobs)))
    if chosen.dressed:
        shop = dress(rng, shop, name, due=bool(chosen.lateness))
        if chosen.lateness:
            shop = replace(shop, objective=Objective(1.0, chosen.lateness))
    origin = f"distribution {DISTRIBUTION_VERSION}, {name}, {operations} operations"
    return replace(shop, provenance=Provenance("generated", origin))
