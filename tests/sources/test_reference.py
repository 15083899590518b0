"""The reference shop's figures, how hard it is, and the shops of its make."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.bounds import certify
from jaxshop.schedule import verify
from jaxshop.shop import (
    TICKS_PER_HOUR,
    LotPlan,
    Operation,
    Shop,
    fingerprint,
    parse_shop,
    shop_to_json,
    split_lots,
    validate,
)
from jaxshop.sources import load_shop
from jaxshop.sources.generator import ShopSpec, generate_shop, random_spec
from jaxshop.sources.reference import reference_shop
from jaxshop.support.errors import ShopError
from tests.oracles.dispatch import RULES, dispatch, linear_rule, random_rule

SHOPS = range(10)
FULL = SHOPS if os.environ.get("JAXSHOP_FULL_FILTER") else [0]
"""The whole filter takes 4 s a shop: unless asked, it runs on the reference, and in part on the siblings."""
FINGERPRINTS = (
    "148a952327541679",
    "c6c8e182b3c69d17",
    "bae6c216ff64db37",
    "6d3265c7ee1dd837",
    "678082a2fa0f813d",
    "a733a5a117c115f2",
    "d85f44c7e82f25d7",
    "b0605649d9c84e45",
    "be60b5b5f7feec67",
    "949076ffbc5714ca",
)
WITNESSES = (
    (-489, -159, 1000, 593, 258, -206, -627),
    (-121, -32, 1000, 219, -241, -864, -713),
    (-278, 5, 1000, 25, -152, -909, -457),
    (208, -26, 1000, 402, 286, 139, 230),
    (-94, -47, 1000, 700, -79, -806, -489),
    (-277, -202, 1000, 38, 86, -510, -337),
    (-386, -116, 1000, 611, 667, -493, -868),
    (-337, -37, 1000, 444, -40, -130, 173),
    (-521, -112, 1000, 276, 30, -187, -34),
    (-336, -193, 1000, 668, -50, -666, -701),
)
"""Weights of the oracle's linear rule, found by cross-entropy on each shop: schedules at most 4 % over the bound."""


def ticks(operation: Operation) -> int:
    """Set-up and processing; the reference's machines are equally fast."""
    (processing,) = set(operation.alternatives.values())
    return operation.setup + processing


@cache
def lots(k: int) -> tuple[LotPlan, int]:
    """The shop in lots of at most 60 h, and its certified bound in ticks."""
    plan = split_lots(reference_shop(k), 60)
    return plan, certify(plan).value


@pytest.mark.parametrize("k", SHOPS)
def test_every_figure_is_exact(k: int):
    """Shows the factory's figures to the tick, set-ups included, and the make that the design describes."""
    shop = reference_shop(k)
    validate(shop, shop.name)
    hours = [sum(map(ticks, job.operations)) for job in shop.jobs]
    assert (len(shop.machines), len(shop.jobs)) == (149, 411)
    assert sum(hours) == 14_951 * TICKS_PER_HOUR
    assert min(hours) == 108
    assert max(hours) == round(332.36 * TICKS_PER_HOUR)

    centre = {machine.id: machine.work_centre for machine in shop.machines}
    sizes = Counter(centre.values())
    assert len(sizes) == 14
    assert min(sizes.values()) >= 2
    assert 15 <= max(sizes.values()) <= 30

    routes = [[centre[min(op.alternatives)] for op in job.operations] for job in shop.jobs]
    assert {len(route) for route in routes} == set(range(1, 7))
    assert 2.7 < statistics.mean(map(len, routes)) < 3.3
    steps = [a == b for route in routes for a, b in pairwise(route)]
    assert 0 < sum(steps) < 0.06 * len(steps)

    shares = Counter()
    for op in (op for job in shop.jobs for op in job.operations):
        assert op.setup == min(900, ticks(op) // 5)
        (name,) = {centre[machine] for machine in op.alternatives}
        size, part = sizes[name], len(op.alternatives)
        assert part >= min(3, size)
        shares[next(n for n in (1, 2, 4) if part in (size // n, -(-size // n)))] += 1
    assert min(shares[1], shares[2], shares[4]) > 0.1 * shares.total()


@pytest.mark.parametrize("k", SHOPS)
def test_shops_never_change(k: int):
    """Shows that neither a change of the generator nor of NumPy's streams goes by unnoticed."""
    shop = reference_shop(k)
    assert fingerprint(shop)[:16] == FINGERPRINTS[k]
    assert shop == load_shop(shop.name)


def test_provenance_says_generated():
    """Shows that no one can take the shop for the factory's data, in memory or in a file."""
    shop = reference_shop(1)
    assert shop.provenance.kind == "generated"
    assert shop.provenance.detail == "generator 1, seed 7"
    read = parse_shop(shop_to_json(shop), "file")
    assert read.provenance == shop.provenance
    assert fingerprint(read) == fingerprint(shop)


def test_there_are_nine_siblings():
    """Shows that a sibling that does not exist is refused by name."""
    with pytest.raises(ShopError, match="reference:10"):
        reference_shop(10)


@pytest.mark.parametrize("k", SHOPS)
def test_bound_lies_where_130_hours_are_a_question_of_skill(k: int):
    """Shows the certified bound with 60 h lots: between the load of the whole jobs and 104 h."""
    assert 100.3 <= lots(k)[1] / TICKS_PER_HOUR <= 104


@pytest.mark.thorough
@pytest.mark.parametrize("k", SHOPS)
def test_shops_are_not_hopeless(k: int):
    """Shows a verified schedule at most 4 % over the certified bound."""
    plan, bound = lots(k)
    schedule = dispatch(plan, linear_rule(WITNESSES[k]))
    assert verify(plan, schedule) == []
    assert schedule.makespan <= 1.04 * bound


@pytest.mark.parametrize("k", SHOPS)
def test_shops_are_not_easy(k: int):
    """Shows every classic rule at least 10 % over the bound; on siblings, unless asked for all, the best two."""
    plan, bound = lots(k)
    for name in RULES if k in FULL else ("MWKR",):
        for active in (False, True):
            assert dispatch(plan, RULES[name], active).makespan >= 1.10 * bound, (name, active)


@pytest.mark.thorough
@pytest.mark.parametrize("k", FULL)
def test_chance_does_not_do(k: int):
    """Shows random non-delay dispatching at least 35 % over the bound, as a mean of 32 seeds."""
    plan, bound = lots(k)
    makespans = [dispatch(plan, random_rule(seed), active=False).makespan for seed in range(32)]
    assert statistics.mean(makespans) >= 1.35 * bound


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    machines=st.integers(2, 40),
    jobs=st.integers(10, 80),
    longest=st.sampled_from([0.3, 0.6, 1.0, 3.3]),
)
def test_shops_of_the_same_make_are_valid_and_meet_their_spec(seed: int, machines: int, jobs: int, longest: float):
    """Shows random specs: the total, shortest and longest job to the tick, and equal seeds giving equal shops."""
    rng = np.random.default_rng(seed)
    spec = random_spec(rng, machines, jobs, longest)
    state = rng.bit_generator.state
    shop = generate_shop(rng, spec)
    validate(shop, "generated")
    hours = [sum(map(ticks, job.operations)) for job in shop.jobs]
    assert (len(shop.machines), len(shop.jobs)) == (machines, jobs)
    assert sum(hours) == round(spec.total_hours * TICKS_PER_HOUR)
    assert min(hours) == round(spec.min_job_hours * TICKS_PER_HOUR)
    assert max(hours) == round(spec.max_job_hours * TICKS_PER_HOUR)
    assert len({machine.work_centre for machine in shop.machines}) == spec.centres

    rng.bit_generator.state = state
    assert fingerprint(generate_shop(rng, spec)) == fingerprint(shop)


def test_small_shops_stand_for_the_reference():
    """Shows that draws for training surround what 60 h lots of the reference are like, measured against the bound."""

    def figures(plan: LotPlan) -> tuple[float, float, float]:
        certificate = certify(plan)
        longest = max(sum(map(ticks, lot.operations)) for lot in plan.lots) / certificate.value
        operations = statistics.mean(len(lot.operations) for lot in plan.lots)
        return longest, operations, certificate.value / certificate.load

    of_reference = np.array(figures(lots(0)[0]))
    rng = np.random.default_rng(0)
    drawn = np.array([figures(split_lots(generate_shop(rng, random_spec(rng)), None)) for _ in range(40)])
    low, high = np.quantile(drawn, [0.1, 0.9], axis=0)
    assert (low < of_reference).all()
    assert (of_reference < high).all()


def test_small_shops_take_milliseconds():
    """Shows that training can draw hundreds of shops."""
    rng = np.random.default_rng(0)
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        generate_shop(rng, random_spec(rng))
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.02


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"total_hours": 300.0}, "cannot add up"),
        ({"jobs": 40}, "cannot add up"),
        ({"jobs": 1}, "cannot add up"),
        ({"centres": 80}, "cannot hold"),
        ({"max_centre": 10}, "cannot hold"),
    ],
)
def test_figures_that_contradict_each_other_are_refused(figures: dict, message: str):
    """Shows that a spec that no shop can meet is refused instead of being met roughly."""
    with pytest.raises(ShopError, match=message):
        ShopSpec(**figures)


def test_generator_leaves_global_chance_alone():
    """Shows that all chance comes from the generator handed in."""
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    assert isinstance(generate_shop(np.random.default_rng(1)), Shop)
    assert (np.random.get_state()[1] == before).all()
