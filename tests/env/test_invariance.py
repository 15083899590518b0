"""On shops of every make, neither numbering nor padding nor the number of candidates changes what a policy does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxshop.bounds import certify
from jaxshop.env import JobShop, Shape
from jaxshop.env.ladder import rung
from jaxshop.env.packing import pack, shape_of
from jaxshop.policies.checkpoint import load_policy
from jaxshop.search.compiled import CANDIDATES, program
from jaxshop.shop import LotPlan, Shop, split_lots
from jaxshop.sources.families import FAMILIES, make_shop
from jaxshop.sources.generator import generate_shop, random_spec
from jaxshop.sources.plant import dress

Played = dict[tuple[str, str], int]
"""The end of each operation, in ticks, by job and operation."""

SIZES = {
    "jobshop": ((5, 6), (10, 12)),
    "flexible": ((6, 7), (10, 12)),
    "tight-centre": ((14, 16), (14, 16)),
    "identical": ((10, 12), (14, 16)),
    "recirculating": ((8, 10), (8, 9)),
    "flow": ((8, 9), (12, 14)),
}
"""Machines and jobs: what a family is like, small enough for all to share a program."""


DRESSED = {"plant": "tight-centre", "plant-due": "recirculating"}
"""Shops with shifts and set-ups by sequence, the second with due dates, by the family that they are of."""
OTHERS = ("reference", *DRESSED)
FEW = 6
"""Candidates where more lots than that compete in a flow shop, and fewer in a job shop."""

EVERY = [*FAMILIES, "reference", *(pytest.param(name, marks=pytest.mark.thorough) for name in DRESSED)]
"""The environment of a plant takes as long to compile as all else here."""


def small_shop(name: str, seed: int) -> Shop:
    """A small shop of the make; a few ticks more for each operation, lest numbering decide between equal ones."""
    rng = np.random.default_rng([seed, *name.encode()])
    if name == "reference":
        return uneven(rng, generate_shop(rng, random_spec(rng, 12, 14)))
    if name in DRESSED:
        return dress(rng, small_shop(DRESSED[name], seed), name, due=name == "plant-due")
    machines, jobs = SIZES[name]
    return uneven(rng, make_shop(rng, replace(FAMILIES[name], machines=machines, jobs=jobs)))


def uneven(rng: np.random.Generator, shop: Shop) -> Shop:
    """A shop with up to 58 ticks more for each operation."""
    return replace(
        shop,
        jobs=tuple(
            replace(job, operations=tuple(replace(op, setup=op.setup + int(rng.integers(59))) for op in job.operations))
            for job in shop.jobs
        ),
    )


def renumbered(shop: Shop) -> Shop:
    """The same shop with jobs and machines in another order."""
    rng = np.random.default_rng(1)
    jobs, machines = rng.permutation(len(shop.jobs)), rng.permutation(len(shop.machines))
    return replace(shop, jobs=tuple(shop.jobs[j] for j in jobs), machines=tuple(shop.machines[m] for m in machines))


@pytest.fixture(scope="module")
def plans() -> dict[str, LotPlan]:
    """A small shop of each make."""
    assert SIZES.keys() == FAMILIES.keys()
    return {name: split_lots(small_shop(name, 0), None) for name in (*FAMILIES, *OTHERS)}


@pytest.fixture(scope="module")
def tight(plans: dict[str, LotPlan]) -> dict[str, Shape]:
    """For each make the least shape that holds all plants, or all others."""
    shapes: dict[str, Shape] = {}
    for names in ((*FAMILIES, "reference"), tuple(DRESSED)):
        shapes |= dict.fromkeys(names, shape_of([plans[name] for name in names], CANDIDATES))
    return shapes


@pytest.fixture(scope="module")
def greedy() -> Callable[[LotPlan, Shape], Played]:
    """Plays the shipped policy at a shape."""
    policy = load_policy()

    def play(plan: LotPlan, shape: Shape) -> Played:
        params = jax.device_put(pack(plan, shape, certify(plan).value))
        return ends(plan, program("greedy", JobShop(shape), policy.network)(policy.weights, params).end)

    return play


def ends(plan: LotPlan, played: jax.Array) -> Played:
    """Of a flat schedule."""
    steps = [(lot.job, operation.id) for lot in plan.lots for operation in lot.operations]
    return dict(zip(steps, np.asarray(played).tolist()[: len(steps)], strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_numbering_does_not_change_what_a_policy_does(plans, tight: dict[str, Shape], greedy, name: str):
    """Jobs and machines in another order: every operation ends when it did."""
    plan = plans[name]
    other = split_lots(renumbered(plan.shop), None)
    assert [lot.job for lot in other.lots] != [lot.job for lot in plan.lots]
    assert greedy(other, tight[name]) == greedy(plan, tight[name])


@pytest.mark.parametrize("name", EVERY)
def test_padding_does_not_change_what_a_policy_does(plans, tight: dict[str, Shape], greedy, name: str):
    """At the rung of the ladder that all of them share, with padding in every array: the same schedule."""
    wide = rung(tight[name])
    smaller = ("lots", "operations", "choices", "sets", "machines", "pools", "candidates")
    assert all(getattr(tight[name], size) < getattr(wide, size) for size in smaller), (tight[name], wide)
    assert greedy(plans[name], wide) == greedy(plans[name], tight[name])


def test_lots_that_do_not_compete_need_not_be_candidates(plans, tight: dict[str, Shape], greedy):
    """Where never more than six of a job shop's lots compete, six candidates give what ten give."""
    plan, few = plans["jobshop"], replace(tight["jobshop"], candidates=FEW)
    assert len(plan.lots) == 10
    assert greedy(plan, few) == greedy(plan, tight["jobshop"])


def test_numbering_does_not_choose_the_candidates(plans, tight: dict[str, Shape], greedy):
    """Where all of a flow shop's lots compete and six are shown, which matters, these are the same in any order."""
    plan, few = plans["flow"], replace(tight["flow"], candidates=FEW)
    assert greedy(plan, few) != greedy(plan, tight["flow"])
    assert greedy(split_lots(renumbered(plan.shop), None), few) == greedy(plan, few)


def test_padding_does_not_choose_the_candidates(plans, tight: dict[str, Shape], greedy):
    """And with padded lots that never compete, so that six candidates are a smaller share of them."""
    few = replace(tight["flow"], candidates=FEW)
    wide = rung(few)
    assert wide.lots > few.lots
    assert wide.candidates == FEW
    assert greedy(plans["flow"], wide) == greedy(plans["flow"], few)


def test_padding_does_not_change_what_is_drawn(plans, tight: dict[str, Shape]):
    """Samples of one seed are the same at either shape."""
    policy, plan = load_policy(), plans["flow"]
    drawn = []
    for shape in (tight["flow"], rung(tight["flow"])):
        params = jax.device_put(pack(plan, shape, certify(plan).value))
        samples = program("samples", JobShop(shape), policy.network, batch=4)
        drawn.append(samples(policy.weights, params, jax.random.key(3), np.int32(0), np.int32(4))[1].tolist())
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 1


def test_a_rung_holds_its_shape_and_is_its_own():
    """No size shrinks, lots at most double past the first rung, what is shown stays, and a rung is on the ladder."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        lots, operations, choices, sets, machines = (int(rng.integers(1, most)) for most in (700, 9000, 40, 300, 300))
        flexible, shown, overlap = bool(rng.integers(2)), int(rng.integers(1, CANDIDATES)), int(rng.integers(17))
        sets = sets + 1 if flexible else machines + 1
        shape = Shape(lots, operations, choices, sets, machines, machines + 1, min(lots, shown), overlap, flexible)
        padded = rung(shape)
        assert rung(padded) == padded
        for size in ("lots", "operations", "choices", "sets", "machines", "pools", "overlap"):
            assert getattr(shape, size) <= getattr(padded, size)
        assert padded.lots <= max(16, 2 * lots)
        assert (padded.overlap == 0) == (overlap == 0)
        assert padded.candidates == (padded.lots if shape.candidates == lots else shape.candidates)
