"""Families: shops of other makes than the reference's, each from a spec and a seed.

What a search or a policy is good at shows on shops that it was not made for. `family:NAME:SEED` names one, wherever a
shop is accepted. Seeds 0 to 6 of every family are evaluation shops: **no policy is trained on them or chosen by them**,
while search was tuned on some (docs/evaluate.md). Seeds 50 to 56 are kept for reports alone; every other seed is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from jaxshop.shop import TICKS_PER_HOUR, Job, Machine, Operation, Provenance, Shop, validate
from jaxshop.support.errors import ShopError

FAMILIES_VERSION = 1
"""Changes whenever the same name and seed would give another shop."""

EVALUATION_SEEDS = range(7)
MAX_SEED = 2**31 - 1

_SHORTEST = 30
"""Ticks of the shortest operation where times are Gamma-like."""

Range = tuple[int, int]
"""The least and the most, both included."""


@dataclass(frozen=True)
class Family:
    """What the shops of a family are like.

    Attributes:
        machines, jobs: how many; drawn log-uniformly, so that small shops are as likely as large ones.
        centre: machines in a work centre; None makes one centre of all machines.
        route: how a job goes through the centres. `permuted`: through all, in an order of its own; `stages`: through
            all, in the same order; `drawn`: `steps` centres, each drawn by its number of machines, never the same twice
            in a row; `loop`: again and again around `loop` centres of its own, `steps` steps in all.
        steps: operations of a job; `permuted` and `stages` have one for each centre.
        loop: centres of a loop.
        alternatives: how many of its centre's machines may run an operation, drawn for each; None: all.
        spread: an operation takes 1 to 1 + `spread` times its base time, drawn for each of its machines; 0: equal.
        minutes: base times are whole minutes of this range, evenly drawn; None: hours of a Gamma distribution.
        shape: of that distribution.
        mean_hours: its mean, before loads and job lengths are met.
        setup_hours: set-up of an operation, or a fifth of its base time if that is less.
        imbalance: centres are loaded 1 +- `imbalance` times the mean hours a machine; None leaves loads as drawn.
        longest: longest job, over the mean hours a machine, as far as the loads allow; None leaves jobs as drawn.
        tight: machines of one centre that is loaded more than all others; None: there is none.
        tight_load: hours of that centre's machines, over the mean of all.
        released_late: share of the jobs that are released after 0, evenly up to `latest`.
        machines_late: share of the machines that are available after 0, evenly up to half of `latest`.
        latest: over the mean hours a machine.
    """

    machines: Range
    jobs: Range
    centre: Range | None = (1, 1)
    route: Literal["permuted", "stages", "drawn", "loop"] = "drawn"
    steps: Range = (2, 6)
    loop: Range = (3, 6)
    alternatives: Range | None = None
    spread: float = 0.0
    minutes: Range | None = None
    shape: float = 1.2
    mean_hours: float = 6.0
    setup_hours: float = 0.0
    imbalance: float | None = 0.1
    longest: float | None = 0.6
    tight: Range | None = None
    tight_load: float = 1.3
    released_late: float = 0.0
    machines_late: float = 0.0
    latest: float = 0.5


FAMILIES: dict[str, Family] = {
    "jobshop": Family((10, 20), (15, 100), route="permuted", minutes=(1, 99), imbalance=None, longest=None),
    "flexible": Family(
        (10, 40), (30, 200), centre=None, steps=(5, 10), alternatives=(2, 5), spread=0.6, minutes=(1, 99), longest=None
    ),
    "tight-centre": Family(
        *((60, 150), (150, 450)),
        centre=(2, 16),
        alternatives=(2, 6),
        spread=0.4,
        setup_hours=0.25,
        tight=(4, 6),
        released_late=0.5,
        machines_late=0.2,
    ),
    "identical": Family((30, 50), (105, 130), centre=(2, 6), shape=0.6, setup_hours=0.25, imbalance=0.02),
    "recirculating": Family(
        *((16, 40), (40, 140)),
        centre=(2, 6),
        route="loop",
        steps=(8, 20),
        spread=0.2,
        mean_hours=2.0,
        released_late=0.9,
    ),
    "flow": Family((12, 40), (50, 200), centre=(2, 6), route="stages", minutes=(1, 99), longest=None),
}
"""By name, from the classic job shop to the factory's size.

`jobshop`: one machine for each operation, routes in every order, 1 to 99 minutes. `flexible`: 2 to 5 machines for each
operation, anywhere in the shop, times that depend on the machine. `tight-centre`: of the factory's size, with one tight
centre, releases, late machines, set-ups and times that depend on the machine. `identical`: small, centres of identical
machines. `recirculating`: long routes that come back to the same centres, releases spread. `flow`: a hybrid flow shop.
"""

LARGE: tuple[Family, ...] = tuple(
    Family((machines,) * 2, (jobs,) * 2, centre=(3, 10), steps=(10, 10), spread=0.3, mean_hours=2.0, released_late=0.3)
    for machines, jobs in ((100, 500), (300, 2000))
)
"""`family:large:0` and `family:large:1`: 5,000 and 20,000 operations, to see what scales."""


def family_shop(name: str, seed: int) -> Shop:
    """The shop `family:NAME:SEED`: the same records for the same name and seed.

    Raises:
        ShopError: there is no such family or seed; names those that are known.
    """
    if name == "large" and 0 <= seed < len(LARGE):
        family = LARGE[seed]
    elif name in FAMILIES and 0 <= seed <= MAX_SEED:
        family = FAMILIES[name]
    else:
        raise _unknown(f"{name}:{seed}")
    shop = make_shop(np.random.default_rng([seed, *name.encode()]), family, f"family:{name}:{seed}")
    validate(shop, shop.name)
    return shop


def parse_family(detail: str) -> tuple[str, int]:
    """Name and seed of `NAME:SEED`; raises ShopError, with what is known, where the form is another."""
    name, _, seed = detail.rpartition(":")
    if not (seed.isascii() and seed.isdecimal() and len(seed) <= len(str(MAX_SEED))):
        raise _unknown(detail)
    return name, int(seed)


def _unknown(detail: str) -> ShopError:
    seeds = f"seeds 0 to {EVALUATION_SEEDS[-1]} to evaluate on, more up to {MAX_SEED} to train and tune on"
    known = ", ".join(f"family:{name}:SEED" for name in FAMILIES)
    large = " and ".join(f"family:large:{k}" for k in range(len(LARGE)))
    return ShopError(f"family:{detail}: known are {known} ({seeds}), {large}")


def make_shop(rng: np.random.Generator, family: Family, name: str = "family") -> Shop:
    """Draw a shop; milliseconds for one of the factory's size.

    Args:
        rng: the source of chance; the same state and family give the same shop.
        family: what the shop is like.
        name: the shop's name; stands in the provenance as well.
    """
    sizes = _centre_sizes(rng, family, log_uniform(rng, family.machines))
    routes = [_route(rng, family, sizes) for _ in range(log_uniform(rng, family.jobs))]
    job_of = np.repeat(np.arange(len(routes)), [len(route) for route in routes])
    centre_of = np.concatenate(routes)
    ticks = _base_ticks(rng, family, sizes, job_of, centre_of)
    mean_load = ticks.sum() / sizes.sum()

    codes = [f"C{c + 1:02d}" for c in range(len(sizes))]
    late = _late(rng, int(sizes.sum()), family.machines_late, family.latest / 2 * mean_load)
    first = np.concatenate(([0], np.cumsum(sizes)))
    machines = [
        Machine(f"{codes[c]}-{m + 1:02d}", codes[c], late[first[c] + m])
        for c, size in enumerate(sizes.tolist())
        for m in range(size)
    ]
    operations: list[list[Operation]] = [[] for _ in routes]
    for job, c, base in zip(job_of.tolist(), centre_of.tolist(), ticks.tolist(), strict=True):
        eligible = first[c] + _subset(rng, int(sizes[c]), family.alternatives)
        setup = min(round(family.setup_hours * TICKS_PER_HOUR), base // 5)
        takes = base * (1 + family.spread * rng.random(len(eligible)))
        alternatives = {machines[m].id: round(t) - setup for m, t in zip(eligible, takes.tolist(), strict=True)}
        route = operations[job]
        route.append(Operation(f"J{job + 1:04d}/{len(route) + 1}", alternatives, setup))
    released = _late(rng, len(routes), family.released_late, family.latest * mean_load)
    jobs = tuple(Job(f"J{j + 1:04d}", tuple(route), released[j]) for j, route in enumerate(operations))
    return Shop(name, tuple(machines), jobs, provenance=Provenance("generated", f"families {FAMILIES_VERSION}, {name}"))


def log_uniform(rng: np.random.Generator, span: Range) -> int:
    """A whole number of the range, small ones as likely as large ones of the same ratio."""
    low, high = span
    return min(int(np.exp(rng.uniform(np.log(low), np.log(high + 1)))), high)


def _integer(rng: np.random.Generator, span: Range) -> int:
    return int(rng.integers(span[0], span[1], endpoint=True))


def _centre_sizes(rng: np.random.Generator, family: Family, machines: int) -> np.ndarray:
    """Machines of each centre, int64 [centres]; a tight centre is the first."""
    if family.centre is None:
        return np.array([machines])
    sizes = [] if family.tight is None else [_integer(rng, family.tight)]
    while (left := machines - sum(sizes)) > 0:
        size = min(_integer(rng, family.centre), left)
        # What is left has to suffice for a whole centre, or goes to this one.
        sizes.append(left if left - size < family.centre[0] else size)
    return np.array(sizes)


def _route(rng: np.random.Generator, family: Family, sizes: np.ndarray) -> np.ndarray:
    """The centres that a job passes, int64 [steps]."""
    centres = len(sizes)
    if family.route == "stages":
        return np.arange(centres)
    if family.route == "permuted":
        return rng.permutation(centres)
    steps = _integer(rng, family.steps)
    if family.route == "loop":
        around = rng.choice(centres, min(_integer(rng, family.loop), centres), replace=False)
        return np.resize(around, steps)
    route: list[int] = []
    for u in rng.random(steps):
        weight = sizes.astype(float)
        if route and centres > 1:
            weight[route[-1]] = 0.0
        route.append(int(np.searchsorted(np.cumsum(weight), u * weight.sum(), side="right")))
    return np.array(route)


def _base_ticks(
    rng: np.random.Generator, family: Family, sizes: np.ndarray, job_of: np.ndarray, centre_of: np.ndarray
) -> np.ndarray:
    """Ticks of each operation on the fastest machine that there could be, int64 [operations]."""
    if family.minutes is not None:
        ticks = 60.0 * rng.integers(*family.minutes, size=len(job_of), endpoint=True)
    else:
        scale = family.mean_hours * TICKS_PER_HOUR / family.shape
        ticks = rng.gamma(family.shape, scale, len(job_of))
    wanted = np.ones(len(sizes))
    if family.imbalance is not None:
        wanted += family.imbalance * rng.uniform(-1.0, 1.0, len(sizes))
    if family.tight is not None:
        wanted[0] = family.tight_load
    for _ in range(3):  # either undoes a part of the other; loads have the last word
        load = ticks.sum() / sizes.sum()
        if family.longest is not None:
            jobs = np.bincount(job_of, ticks)
            ticks *= np.minimum(1.0, family.longest * load / jobs)[job_of]
        if family.imbalance is not None:
            work = np.bincount(centre_of, ticks, len(sizes))
            ticks *= (wanted * sizes * load / np.maximum(work, 1.0))[centre_of]
    return np.maximum(_SHORTEST, np.rint(ticks)).astype(np.int64)


def _late(rng: np.random.Generator, count: int, share: float, latest: float) -> list[int]:
    """Ticks of which `share` are above 0, evenly up to `latest`."""
    chosen = rng.random(count) < share
    return (chosen * rng.uniform(0.0, latest, count)).astype(np.int64).tolist()


def _subset(rng: np.random.Generator, size: int, span: Range | None) -> np.ndarray:
    """Indices of the machines of a centre that may run an operation, ascending."""
    if span is None or size <= span[0]:
        return np.arange(size)
    return np.sort(rng.choice(size, min(_integer(rng, span), size), replace=False))
