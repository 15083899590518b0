"""The fingerprint, and that writing a shop and reading it back loses nothing."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxshop.shop import Job, Machine, Operation, Provenance, Shop, fingerprint, parse_shop, shop_to_json
from jaxshop.support.files import parse_json
from tests.shops import HOUR, altered, example

IDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)


@st.composite
def shops(draw) -> Shop:
    """A valid shop of any times that the format admits."""
    machines = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    times = st.integers(0, 1000) | st.integers(0, 87_600 * HOUR)
    jobs = []
    for j, name in enumerate(draw(st.lists(IDS, min_size=1, max_size=3, unique=True))):
        alternatives = st.dictionaries(st.sampled_from(machines), st.integers(1, 10**7), min_size=1)
        route = draw(st.lists(st.tuples(alternatives, st.integers(0, 10**6)), min_size=1, max_size=3))
        jobs.append(
            Job(
                id=name,
                operations=tuple(Operation(f"{j}/{k}", ticks, setup) for k, (ticks, setup) in enumerate(route)),
                release=draw(times),
                due=draw(st.none() | st.integers(-87_600 * HOUR, 87_600 * HOUR)),
                weight=draw(st.floats(1e-3, 1e6)),
                quantity=draw(st.none() | st.integers(1, 10**12)),
            )
        )
    centres = st.none() | IDS
    return Shop(
        name=draw(IDS),
        machines=tuple(Machine(name, draw(centres), draw(times)) for name in machines),
        jobs=tuple(jobs),
        plan_start=draw(st.none() | st.just("2026-11-23T06:00:00+00:00")),
    )


@given(shops())
def test_a_written_shop_reads_back_the_same(shop: Shop):
    """Ticks to hours to JSON text to ticks is the identity, for every field."""
    assert parse_shop(parse_json(json.dumps(shop_to_json(shop)), "x"), "x") == shop


@given(shops(), st.randoms(use_true_random=False))
def test_the_fingerprint_ignores_the_order_of_writing(shop: Shop, chance: random.Random):
    """Machines, jobs and alternatives may stand in any order."""

    def shuffled(items):
        items = list(items)
        chance.shuffle(items)
        return items

    jobs = (
        dataclasses.replace(
            job,
            operations=tuple(
                dataclasses.replace(op, alternatives=dict(shuffled(op.alternatives.items()))) for op in job.operations
            ),
        )
        for job in shuffled(shop.jobs)
    )
    other = dataclasses.replace(shop, machines=tuple(shuffled(shop.machines)), jobs=tuple(jobs))
    assert fingerprint(other) == fingerprint(shop)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("machines[2].id", "SW02"),
        ("machines[2].work_centre", "saw"),
        ("machines[0].available_from", 1.0),
        ("jobs[0].id", "JOST0083"),
        ("jobs[0].quantity", 1201),
        ("jobs[0].release", 0.0),
        ("jobs[0].due", None),
        ("jobs[0].weight", 2.25),
        ("jobs[0].operations[0].id", "first"),
        ("jobs[0].operations[0].setup", 0.5),
        ("jobs[0].operations[0].alternatives.PP09", 2.501),
        ("jobs[0].operations[0].alternatives.SW01", 2.5),
    ],
)
def test_the_fingerprint_tells_shops_apart(path: str, value: object):
    """Every value that a schedule or its key figures depend on counts."""
    data = altered(path, value)
    if path == "machines[2].id":
        data["jobs"][0]["operations"][1]["alternatives"] = {"SW02": 0.0003}
    assert fingerprint(parse_shop(data, "x")) != fingerprint(parse_shop(example(), "x"))


def test_the_fingerprint_depends_on_the_route_only_where_it_should():
    """Operations in another order are another shop; another name, plan start or provenance are not."""
    shop = parse_shop(example(), "x")
    renamed = dataclasses.replace(shop, name="x", plan_start=None, provenance=Provenance("file"), unit="ticks")
    assert fingerprint(renamed) == fingerprint(shop)
    first, second = shop.jobs
    turned = dataclasses.replace(first, operations=first.operations[::-1])
    assert fingerprint(dataclasses.replace(shop, jobs=(turned, second))) != fingerprint(shop)


def test_the_fingerprint_stays_what_it_was():
    """Fingerprints stand in checkpoints and schedules, so the canonical form must never change unnoticed."""
    digest = "36cb270c7f2bb0d7a4989784c7a100015492fbc124d667aa5d293f49466710f6"
    assert fingerprint(parse_shop(example(), "x")) == digest
