"""The shop generator: shops of the reference's make, each from a spec and a source of chance."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from jaxshop.shop import TICKS_PER_HOUR, Job, Machine, Operation, Provenance, Shop
from jaxshop.support.errors import ShopError

GENERATOR_VERSION = 1
"""Changes whenever the same seed and spec would give another shop."""

_CENTRES = (
    *(("saw", "SW"), ("laser", "LS"), ("punch", "PU"), ("press", "PP"), ("turning", "TU"), ("milling", "MI")),
    *(("drilling", "DR"), ("grinding", "GR"), ("deburring", "DB"), ("welding", "WE"), ("hardening", "HT")),
    *(("coating", "CT"), ("assembly", "AS"), ("inspection", "QC")),
)
_SHORTEST_OPERATION = 30
"""Ticks; a job shorter than its route times this gets a shorter route."""


@dataclass(frozen=True)
class ShopSpec:
    """What a generated shop is like; the defaults are the reference's.

    Attributes:
        machines, jobs: how many.
        total_hours, min_job_hours, max_job_hours: met by the whole jobs to the tick, set-ups included.
        shape: of the Gamma distribution that job hours are drawn from (before the figures above are met).
        centres, min_centre, max_centre: number of work centres, and machines in each.
        route_lengths: relative chance of a route of 1, 2, ... operations.
        flexibility: relative chance of running on all, half or a quarter of a centre's machines.
        min_part: the fewest machines in a half or quarter; an operation for whose part the centre is too small, or
            too busy, may run on the next larger part.
        revisit: chance, relative to any other centre, of a second operation in a row at the same centre.
        evenness: of a job's hours over its operations (concentration of a Dirichlet distribution).
        imbalance: spread of the centres' loads; 0 loads every machine alike as far as possible.
        setup_hours, setup_share: a set-up lasts `setup_hours`, or this share of its operation if less.
    """

    machines: int = 149
    jobs: int = 411
    total_hours: float = 14951.00
    min_job_hours: float = 0.03
    max_job_hours: float = 332.36
    shape: float = 0.8
    centres: int = 14
    min_centre: int = 2
    max_centre: int = 30
    route_lengths: tuple[float, ...] = (0.10, 0.25, 0.31, 0.20, 0.10, 0.04)
    flexibility: tuple[float, float, float] = (0.3, 0.4, 0.3)
    min_part: int = 3
    revisit: float = 0.05
    evenness: float = 4.0
    imbalance: float = 0.02
    setup_hours: float = 0.25
    setup_share: float = 0.2

    def __post_init__(self) -> None:
        lowest = self.min_job_hours * (self.jobs - 1) + self.max_job_hours
        highest = self.max_job_hours * (self.jobs - 1) + self.min_job_hours
        if self.jobs < 2 or not lowest <= self.total_hours <= highest:
            raise ShopError(f"spec: {self.jobs} jobs cannot add up to total_hours {self.total_hours:g}")
        if not self.min_centre * self.centres <= self.machines <= self.max_centre * self.centres:
            raise ShopError(f"spec: {self.centres} centres cannot hold {self.machines} machines")

    @property
    def load_hours(self) -> float:
        """Hours that every machine works if the load is spread evenly."""
        return self.total_hours / self.machines


REFERENCE = ShopSpec()
"""What the reference shop is like."""


def random_spec(rng: np.random.Generator, machines: int = 16, jobs: int = 44, longest: float = 0.6) -> ShopSpec:
    """Draw the spec of a small shop of the reference's make: what is not given varies around the reference.

    `longest` is the longest job over the load bound. The reference's 60 h lots are at 0.6, so that at this value
    the jobs stand for lots already; above it (the reference's whole jobs are at 3.3) cut them with `split_lots`.
    """
    load = REFERENCE.load_hours
    lengths = np.asarray(REFERENCE.route_lengths) * rng.lognormal(0.0, 0.4, len(REFERENCE.route_lengths))
    flexibility = rng.dirichlet(5 * np.asarray(REFERENCE.flexibility))
    total = machines * load
    fewest = min(machines, max(2, machines // 12))
    longest_hours = min(longest * load * rng.uniform(0.85, 1.05), 0.5 * total)
    return ShopSpec(
        machines=machines,
        jobs=jobs,
        total_hours=total,
        max_job_hours=max(longest_hours, 1.3 * total / jobs),
        shape=rng.uniform(0.6, 1.4),
        centres=int(rng.integers(fewest, max(fewest, machines // 4) + 1)),
        min_centre=1,
        max_centre=machines,
        route_lengths=tuple((lengths / lengths.sum()).tolist()),
        flexibility=tuple(flexibility.tolist()),
        min_part=int(rng.integers(1, 4)),
        evenness=rng.uniform(2.0, 6.0),
        imbalance=rng.uniform(0.0, 0.06),
    )


def generate_shop(
    rng: np.random.Generator, spec: ShopSpec = REFERENCE, name: str = "generated", detail: str = ""
) -> Shop:
    """Draw a shop that meets the figures of `spec` exactly; milliseconds for a small one.

    Args:
        rng: The source of chance; the same state and spec give the same shop.
        spec: What the shop is like.
        name: The shop's name.
        detail: Where the chance came from (a seed), for the provenance.
    """
    sizes = _centre_sizes(rng, spec)
    job_of, ticks = _operations(rng, spec, _job_ticks(rng, spec))
    centre, part, parts = _place(rng, spec, sizes, job_of, ticks)

    first = np.concatenate(([0], np.cumsum(sizes)))
    machines = [
        Machine(f"{code}{m + 1:02d}", centre_name)
        for c, size in enumerate(sizes)
        for centre_name, code in [_centre_name(c)]
        for m in range(size)
    ]
    setup = np.minimum(round(spec.setup_hours * TICKS_PER_HOUR), (ticks * spec.setup_share).astype(int))
    operations: list[list[Operation]] = [[] for _ in range(spec.jobs)]
    for o, job in enumerate(job_of.tolist()):
        begin, size = first[centre[o]], sizes[centre[o]]
        eligible = machines[begin + part[o] * size // parts[o] : begin + (part[o] + 1) * size // parts[o]]
        processing = int(ticks[o] - setup[o])
        route = operations[job]
        route.append(
            Operation(f"JOST{job + 1:04d}/{len(route) + 1}", {m.id: processing for m in eligible}, int(setup[o]))
        )
    jobs = tuple(Job(f"JOST{j + 1:04d}", tuple(route)) for j, route in enumerate(operations))
    origin = f"generator {GENERATOR_VERSION}" + (f", {detail}" if detail else "")
    return Shop(name, tuple(machines), jobs, provenance=Provenance("generated", origin))


def _centre_name(c: int) -> tuple[str, str]:
    """Name and machine prefix of centre `c`."""
    return _CENTRES[c] if c < len(_CENTRES) else (f"centre {c + 1}", f"C{c + 1}-")


def _centre_sizes(rng: np.random.Generator, spec: ShopSpec) -> list[int]:
    """Machines per centre, skewed: a few large centres and many small ones."""
    sizes = np.full(spec.centres, spec.min_centre)
    appeal = rng.gamma(1.2, size=spec.centres)
    for _ in range(spec.machines - sizes.sum()):
        open_ = sizes < spec.max_centre
        sizes[np.argmax(np.where(open_, appeal / sizes, -1.0))] += 1
    return sizes.tolist()


def _job_ticks(rng: np.random.Generator, spec: ShopSpec) -> np.ndarray:
    """Ticks of each job, int64 [jobs]: Gamma-like, with the exact minimum, maximum and total of `spec`."""
    low, high, total = (round(h * TICKS_PER_HOUR) for h in (spec.min_job_hours, spec.max_job_hours, spec.total_hours))
    rest = total - low - high
    draws = np.sort(rng.gamma(spec.shape, size=spec.jobs))[1:-1]
    # The total of the clipped draws grows with their scale: bisect for the scale that meets it.
    small, large = 0.0, high / max(draws.min(initial=np.inf), 1e-9)
    while small < (scale := (small + large) / 2) < large:  # until no number lies between
        if np.minimum(np.maximum(draws * scale, low), high).sum() < rest:  # np.clip takes twice as long
            small = scale
        else:
            large = scale
    exact = np.floor(np.cumsum(np.clip(draws * large, low, high)) + 0.5)
    ticks = np.diff(exact, prepend=0.0).astype(np.int64)
    ticks[len(ticks) // 2] += rest - ticks.sum()
    return rng.permutation(np.concatenate(([low, high], ticks)))


def _operations(rng: np.random.Generator, spec: ShopSpec, job_ticks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut jobs into operations, in route order: job and ticks of each, int64 [operations]; they add up."""
    chance = np.asarray(spec.route_lengths) / np.sum(spec.route_lengths)
    lengths = 1 + rng.choice(len(chance), size=spec.jobs, p=chance)
    lengths = np.clip(job_ticks // _SHORTEST_OPERATION, 1, lengths)
    job_of = np.repeat(np.arange(spec.jobs), lengths)
    weight = rng.gamma(spec.evenness, size=len(job_of))
    begin = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    within = np.cumsum(weight) - np.repeat(np.cumsum(weight)[begin] - weight[begin], lengths)
    within /= np.repeat(np.add.reduceat(weight, begin), lengths)
    ends = np.arange(len(job_of)) + 1 - np.repeat(begin, lengths)
    floor = np.minimum(_SHORTEST_OPERATION, job_ticks // lengths)
    cut = (within * np.repeat(job_ticks - floor * lengths, lengths) + 1e-6).astype(np.int64)
    cut += ends * np.repeat(floor, lengths)
    ticks = np.diff(cut, prepend=0)
    ticks[begin] = cut[begin]
    ticks[begin + lengths - 1] += job_ticks - np.add.reduceat(ticks, begin)
    return job_of, ticks


def _place(
    rng: np.random.Generator, spec: ShopSpec, sizes: list[int], job_of: np.ndarray, ticks: np.ndarray
) -> tuple[list[int], list[int], list[int]]:
    """Give each operation a centre and the part of the centre it may run on, the longest operations first.

    Centres are drawn in proportion to the load that they still want, so that they end balanced; within a centre
    the operation gets the least loaded part. Returns each operation's centre, part, and number of parts.
    """
    chance = np.cumsum(spec.flexibility) / np.sum(spec.flexibility)
    wanted = np.asarray(sizes) * (1 + spec.imbalance * rng.uniform(-1.0, 1.0, len(sizes)))
    wanted = (wanted * (ticks.sum() / wanted.sum())).tolist()
    limit = [w / size for w, size in zip(wanted, sizes, strict=True)]
    halvings = np.searchsorted(chance, rng.random(len(ticks))).clip(0, 2).tolist()
    draws = rng.random(len(ticks)).tolist()
    loads = [[0.0] * size for size in sizes]
    centre, part, parts = [-1] * len(ticks), [0] * len(ticks), [1] * len(ticks)
    jobs = job_of.tolist()
    for o in np.argsort(-ticks, kind="stable").tolist():
        work = float(ticks[o])
        appeal = [max(w, 0.0) if w >= work else 1e-6 * max(w, 1.0) for w in wanted]
        for n in (o - 1, o + 1):
            if 0 <= n < len(jobs) and jobs[n] == jobs[o] and centre[n] >= 0:
                appeal[centre[n]] *= spec.revisit
        c = _draw(appeal, draws[o])
        load = loads[c]
        for n in (4, 2, 1)[2 - halvings[o] :]:
            if n > 1 and sizes[c] < n * spec.min_part:
                continue
            cuts = [k * sizes[c] // n for k in range(n + 1)]
            means = [(sum(load[a:b]) + work) / (b - a) for a, b in pairwise(cuts)]
            k = means.index(min(means))
            if means[k] <= limit[c]:  # the part has room; if none has, the parts must be larger
                break
        for m in range(cuts[k], cuts[k + 1]):
            load[m] += work / (cuts[k + 1] - cuts[k])
        wanted[c] -= work
        centre[o], part[o], parts[o] = c, k, n
    return centre, part, parts


def _draw(weights: list[float], u: float) -> int:
    """The index that the uniform draw `u` falls on, in proportion to `weights`."""
    left = u * sum(weights)
    for i, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return i
    return max(range(len(weights)), key=weights.__getitem__)
