"""The families of shops: the same for the same seed, valid, and what each is said to be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.schedule import verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import Shop, fingerprint, operation_count, split_lots, validate
from jaxshop.sources import load_shop
from jaxshop.sources.families import EVALUATION_SEEDS, FAMILIES, MAX_SEED, family_shop, make_shop
from jaxshop.support.errors import ShopError

FINGERPRINTS = {
    "jobshop": "0e7ab1e90b9d6b1f",
    "flexible": "935690daf2349a3e",
    "tight-centre": "71a2ea81f049bd32",
    "identical": "10efb9822ae630d5",
    "recirculating": "4edadd3f3823de05",
    "flow": "7c7a960e57ee2ae9",
    "large": "3c8ccb19d91d0ca3",
}
"""Of seed 3 of each family; they change with `FAMILIES_VERSION` alone."""

by_seed = pytest.mark.parametrize("seed", EVALUATION_SEEDS)


def centres(shop: Shop) -> dict[str, str]:
    """The work centre of each machine."""
    return {machine.id: str(machine.work_centre) for machine in shop.machines}


def routes(shop: Shop) -> list[list[str]]:
    """The work centres that each job passes; an operation's machines all stand in one."""
    of = centres(shop)
    found = []
    for job in shop.jobs:
        visited = [{of[machine] for machine in op.alternatives} for op in job.operations]
        assert all(len(each) == 1 for each in visited)
        found.append([each.pop() for each in visited])
    return found


def times(shop: Shop) -> list[list[int]]:
    """The processing ticks of each operation's alternatives."""
    return [list(op.alternatives.values()) for job in shop.jobs for op in job.operations]


@pytest.mark.parametrize("name", [*FAMILIES, "large"])
def test_the_same_seed_gives_the_same_shop(name: str):
    """Fingerprints are pinned, so that figures in the pages stay those of these shops; other seeds are other shops."""
    seed = 0 if name == "large" else 3
    shop = load_shop(f"family:{name}:{seed}")
    assert shop == family_shop(name, seed)
    assert fingerprint(shop)[:16] == FINGERPRINTS[name]
    assert shop.provenance.kind == "generated"
    assert shop.provenance.detail.endswith(f"family:{name}:{seed}")
    assert fingerprint(load_shop(f"family:{name}:{1 - seed if name == 'large' else 4}"))[:16] != FINGERPRINTS[name]


@pytest.mark.parametrize("name", FAMILIES)
@given(seed=st.integers(0, MAX_SEED))
@settings(max_examples=10, deadline=None)
def test_every_seed_is_a_valid_shop_of_its_size(name: str, seed: int):
    """Any seed validates and keeps to the family's machines and jobs."""
    shop, family = family_shop(name, seed), FAMILIES[name]
    assert family.machines[0] <= len(shop.machines) <= family.machines[1]
    assert family.jobs[0] <= len(shop.jobs) <= family.jobs[1]
    assert 150 <= operation_count(split_lots(shop, None)) <= 2400
    assert all(job.release >= 0 for job in shop.jobs)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_rule_schedules_it(name: str):
    """A dispatching rule's schedule passes the verifier."""
    plan = split_lots(family_shop(name, 0), None)
    assert not verify(plan, dispatch_by_rule(plan, RULES["MWKR"], active=False))


@by_seed
def test_job_shops_are_permutations_of_single_machines(seed: int):
    """Each job visits every machine once, for 1 to 99 whole minutes, in orders that differ."""
    shop = family_shop("jobshop", seed)
    visited = [[next(iter(op.alternatives)) for op in job.operations] for job in shop.jobs]
    assert all(sorted(route) == sorted(centres(shop)) for route in visited)
    assert len({tuple(route) for route in visited}) == len(visited)
    assert all(len(each) == 1 and each[0] % 60 == 0 and 60 <= each[0] <= 99 * 60 for each in times(shop))


@by_seed
def test_flexible_shops_have_two_to_five_machines_that_differ(seed: int):
    """Partial flexibility, anywhere in the shop, with times that depend on the machine."""
    shop = family_shop("flexible", seed)
    assert {len(each) for each in times(shop)} == {2, 3, 4, 5}
    assert np.mean([len(set(each)) > 1 for each in times(shop)]) > 0.95


@by_seed
def test_the_tight_centre_is_the_tightest(seed: int):
    """One centre of 4 to 6 machines does a tenth more an hour than any other; jobs and machines come late."""
    shop = family_shop("tight-centre", seed)
    of = centres(shop)
    work: dict[str, float] = dict.fromkeys(of.values(), 0.0)
    for job in shop.jobs:
        for op in job.operations:
            work[of[next(iter(op.alternatives))]] += op.setup + min(op.alternatives.values())
    sizes = {name: list(of.values()).count(name) for name in work}
    loads = sorted((hours / sizes[name], name) for name, hours in work.items())
    assert 4 <= sizes[loads[-1][1]] <= 6
    assert loads[-1][0] > 1.1 * loads[-2][0]
    assert any(job.release for job in shop.jobs)
    assert any(machine.available_from for machine in shop.machines)
    assert np.mean([len(set(each)) > 1 for each in times(shop) if len(each) > 1]) > 0.95


@by_seed
def test_machines_of_an_identical_centre_are_alike(seed: int):
    """Every operation runs on all machines of its centre, in equal times."""
    shop = family_shop("identical", seed)
    of = list(centres(shop).values())
    assert all(len(set(each)) == 1 for each in times(shop))
    for route, job in zip(routes(shop), shop.jobs, strict=True):
        assert [of.count(c) for c in route] == [len(op.alternatives) for op in job.operations]


@by_seed
def test_recirculating_routes_come_back(seed: int):
    """Routes of 8 to 20 steps that visit at most 6 centres, never the same twice in a row, and releases spread."""
    shop = family_shop("recirculating", seed)
    for route in routes(shop):
        assert 8 <= len(route) <= 20
        assert len(set(route)) <= 6
        assert all(a != b for a, b in pairwise(route))
    assert np.mean([job.release > 0 for job in shop.jobs]) > 0.7


@by_seed
def test_flow_shops_have_one_order_of_stages(seed: int):
    """Every job passes all stages in the same order, each on any machine of the stage."""
    shop = family_shop("flow", seed)
    assert len({tuple(route) for route in routes(shop)}) == 1
    assert set(routes(shop)[0]) == set(centres(shop).values())


def test_large_shops_are_as_large_as_they_say():
    """5,000 and 20,000 operations, on 100 and 300 machines."""
    for seed, size in enumerate(((100, 500, 5_000), (300, 2_000, 20_000))):
        shop = family_shop("large", seed)
        assert (len(shop.machines), len(shop.jobs), operation_count(split_lots(shop, None))) == size


@pytest.mark.parametrize(
    "spec", ["family:", "family:nonsense:0", "family:flow", "family:flow:", "family:flow:-1", "family:flow:x",
             "family:large:2", f"family:flow:{MAX_SEED + 1}", "family:flow:1:2", "family:flow:²"]
)  # fmt: skip
def test_unknown_families_are_refused_with_what_is_known(spec: str):
    """One line that repeats the wrong name, and lists families and seeds."""
    with pytest.raises(ShopError, match="known are family:jobshop:SEED") as refused:
        load_shop(spec)
    assert str(refused.value).startswith(spec)
    assert "seeds 0 to 6" in str(refused.value)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_make_shop_draws_other_shops_from_the_callers_chance(seed: int):
    """A training run draws as many as it likes, from its own generator; each is valid."""
    shop = make_shop(np.random.default_rng(seed), FAMILIES["identical"], "mine")
    validate(shop, "mine")
    assert shop.name == "mine"
