"""What is drawn from a policy: when it ends, and where it begins."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.env.packing import pack
from jaxshop.policies.checkpoint import load_policy
from jaxshop.schedule import Schedule, verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.beam import Beam, Way, leading
from jaxshop.search.compiled import SAMPLE_BATCH, CompiledRollouts, program
from jaxshop.search.dispatches import to_schedule
from jaxshop.search.mirror import TURN, backward, mirrored, turned
from jaxshop.search.sampling import Samples
from jaxshop.search.solver import PATIENCE, solve
from jaxshop.search.types import Stop, Task
from jaxshop.serving.engine import LADDER, SAMPLED_OPERATIONS
from jaxshop.shop import LotPlan, split_lots
from tests.shops import KINDS, from_routes, ft06


@pytest.fixture(scope="module")
def plan() -> LotPlan:
    """Fisher and Thompson's 6 x 6."""
    return split_lots(ft06(), None)


@pytest.fixture(scope="module")
def rollouts(plan: LotPlan) -> CompiledRollouts:
    """Those of the shipped policy."""
    return CompiledRollouts(Task.of(plan), load_policy)


class Drawn:
    """Rollouts whose batches are schedules of rules, the last one for ever."""

    batch = 4

    def __init__(self, plan: LotPlan, *rules: str):
        self.found = [dispatch_by_rule(plan, RULES[rule], active=False) for rule in rules]
        self.asked: list[int] = []

    def prepare(self, step: str) -> None:
        """Nothing to compile."""

    def samples(self, key: int, begin: int, count: int) -> Schedule:
        """The next rule's."""
        self.asked.append(count)
        return self.found[min(len(self.asked), len(self.found)) - 1]


def steps(plan: LotPlan) -> list[tuple[str, int, str]]:
    """The operations of a plan in its order."""
    return [(lot.job, lot.index, operation.id) for lot in plan.lots for operation in lot.operations]


@pytest.mark.parametrize("kind", ["job shop", "flexible", "due", "one job"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_schedule_of_the_mirror_image_is_one_of_the_shop(kind: str, seed: int):
    """As long, valid, with its rows in the order of the plan; lots included."""
    shop = KINDS[kind](seed).shop
    shop = replace(
        shop,
        jobs=tuple(replace(job, release=0) for job in shop.jobs),
        machines=tuple(replace(machine, available_from=0) for machine in shop.machines),
    )
    plan = split_lots(shop, 12 / 3600)
    mirror = mirrored(plan)
    assert mirror is not None
    assert mirrored(mirror) == plan
    numbers = {step: number for number, step in enumerate(steps(mirror))}
    there = dispatch_by_rule(mirror, RULES["MWKR"], active=True)
    there = replace(there, rows=tuple(sorted(there.rows, key=lambda row: numbers[row[:3]])))
    back = turned(there)
    assert verify(plan, back) == []
    assert back.makespan == there.makespan
    assert [row[:3] for row in back.rows] == steps(plan)


def test_what_cannot_be_mirrored_is_not():
    """Where work or machines come late, or the plant has rules of its own."""
    assert mirrored(split_lots(from_routes([[{0: 3}]], 1), None)) is not None
    assert mirrored(split_lots(from_routes([[{0: 3}]], 1, release=[1]), None)) is None
    assert mirrored(split_lots(from_routes([[{0: 3}]], 1, free=[1]), None)) is None
    plain = from_routes([[{0: 3}, {0: 4}]], 1)
    first, *others = plain.jobs[0].operations
    lagged = replace(plain, jobs=(replace(plain.jobs[0], operations=(replace(first, lag=2), *others)),))
    assert mirrored(split_lots(lagged, None)) is None


def test_whole_batches_take_turns_wherever_they_are_drawn():
    """Sixteen samples forward, sixteen backward; no batch of ours or the server's is of both directions."""
    assert [number for number in range(64) if backward(number)] == [*range(16, 32), *range(48, 64)]
    batches = {SAMPLE_BATCH, *(min(SAMPLE_BATCH, SAMPLED_OPERATIONS // size.operations) for size in LADDER)}
    assert all(TURN % batch == 0 for batch in batches)


def test_every_other_batch_is_of_the_mirror_image(plan, rollouts):
    """The second batch is what the policy plays, with the same key, on the mirrored plan, turned round."""
    mirror = mirrored(plan)
    assert mirror is not None
    policy = load_policy()
    params = pack(mirror, rollouts.env.shape, Task.of(plan).certificate.value)
    numbers = np.int32(SAMPLE_BATCH), np.int32(2 * SAMPLE_BATCH)
    play = program("samples", rollouts.env, policy.network)
    played, _ = play(policy.weights, jax.device_put(params), jax.random.key(3), *numbers)
    second = rollouts.samples(3, SAMPLE_BATCH, SAMPLE_BATCH)
    assert second == turned(to_schedule(mirror, played))
    assert verify(plan, second) == []


@pytest.mark.parametrize(
    ("count", "patience", "asked"),
    [(None, 8, [4] * 4), (None, 9, [4] * 5), (10, 8, [4, 4, 2]), (10, None, [4, 4, 2]), (3, 1, [3])],
)
def test_samples_end_once_so_many_in_a_row_improve_nothing(plan, count, patience, asked):
    """SPT, then MWKR, which is better, then MWKR for ever: patience counts from the second batch on."""
    spt, mwkr = (dispatch_by_rule(plan, RULES[rule], active=False) for rule in ("SPT", "MWKR"))
    assert mwkr.makespan < spt.makespan
    drawn = Drawn(plan, "SPT", "MWKR")
    found = list(Samples(drawn, count, patience).search(Task.of(plan), 0, Stop()))
    assert drawn.asked == asked
    assert [each.cost for each in found] == [spt.makespan, mwkr.makespan][: len(asked)]


def test_samples_that_nothing_is_said_of_end_by_patience(plan):
    """A multiple of the batch, of which the last 64 found nothing; greedy may be better than the first batch, too."""
    found = solve(plan, method="samples")
    last = max(each.work for each in found.trace)
    assert found.samples_done % SAMPLE_BATCH == 0
    assert found.samples_done >= PATIENCE
    assert found.work_done - last <= PATIENCE + SAMPLE_BATCH


def test_the_leading_ways_are_the_best_that_differ():
    """In order of cost; of those that begin alike the best alone, and all alike at the very beginning."""
    ways = [
        Way(cost, np.array(choices, np.int32))
        for cost, choices in ((7, (0, 1, 2)), (5, (0, 1, 1)), (6, (1, 0, 2)), (5, (0, 2, 1)), (9, (2, 2, 2)))
    ]
    assert [leading(ways, 2, width) for width in (1, 3, 9)] == [
        [ways[1]],
        [ways[1], ways[3], ways[2]],
        [ways[1], ways[3], ways[2], ways[4]],
    ]
    assert leading(ways, 0, 3) == [ways[1]]
    assert leading([], 2, 3) == []


def test_guided_samples_go_on_from_what_they_are_given(plan, rollouts):
    """Without ways they are the samples of those numbers; with them they begin alike, or are the same."""
    best, free = rollouts.guided([], 0, 3, 0, SAMPLE_BATCH)
    assert best == rollouts.samples(3, 0, SAMPLE_BATCH)
    assert min(way.cost for way in free) == best.makespan
    ways = sorted(free, key=lambda way: way.cost)[:2]
    operations = len(best.rows)
    some = rollouts.guided(ways, operations // 2, 4, 0, 5)[1]
    assert len(some) == 5
    for number, way in enumerate(some):
        given = ways[number % 2].choices[: operations // 2]
        assert way.choices[: operations // 2].tolist() == given.tolist()
    again, whole = rollouts.guided(ways, operations, 5, 0, SAMPLE_BATCH)
    assert {way.cost for way in whole} == {way.cost for way in ways}
    assert again.makespan == ways[0].cost
    assert verify(plan, again) == []


def test_a_beam_ends_by_its_stop_and_repeats(plan, rollouts):
    """The same work gives the same schedule, never worse for more; every incumbent is better than the one before."""
    task = Task.of(plan)

    def found(work: int, count: int | None = None) -> list[tuple[int, int]]:
        stop = Stop(work=work)
        searched = list(Beam(rollouts, count).search(task, 1, stop))
        assert stop.done == min(work, count or work)
        return [(each.cost, each.work) for each in searched]

    few, many = found(5 * SAMPLE_BATCH + 3), found(20 * SAMPLE_BATCH)
    assert found(5 * SAMPLE_BATCH + 3) == few
    assert [cost for cost, _ in many] == sorted({cost for cost, _ in many}, reverse=True)
    assert many[-1][0] <= few[-1][0]
    assert found(1000, 2 * SAMPLE_BATCH + 5)
