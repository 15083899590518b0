"""Jobs cut into lots."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, split_lots
from jaxshop.shop.lots import route_ticks
from jaxshop.support.errors import ShopError

HOUR = 3600
MACHINES = ("A", "B", "C")


def shop_of(*jobs: Job) -> Shop:
    """A shop of these jobs on machines A, B and C."""
    return Shop("test", tuple(Machine(name) for name in MACHINES), jobs)


def length(lot) -> int:
    """Ticks of a lot or job on the slowest alternatives, with set-ups."""
    return sum(route_ticks(lot.operations))


@st.composite
def cases(draw, quantity) -> tuple[Job, int]:
    """A job, and a limit in ticks that its set-ups alone do not reach."""
    times = st.integers(1, 20) | st.integers(1, 400 * HOUR)
    alternatives = st.dictionaries(st.sampled_from(MACHINES), times, min_size=1)
    route = draw(st.lists(st.tuples(alternatives, st.integers(0, HOUR)), min_size=1, max_size=5))
    job = Job(
        id="J",
        operations=tuple(Operation(f"J/{k}", *step) for k, step in enumerate(route)),
        release=7,
        due=-5,
        weight=2.0,
        quantity=draw(quantity),
    )
    setups, processing = route_ticks(job.operations)
    least = setups + max(1, processing // 200)  # about 200 lots at most, to be quick
    return job, draw(st.integers(least, least + 50 * HOUR) | st.integers(least, setups + processing + 5))


def check_shares(job: Job, plan: LotPlan) -> None:
    """Every lot is the whole route with full set-ups, and the lots together are exactly the job."""
    assert [lot.index for lot in plan.lots] == list(range(len(plan.lots)))
    for lot in plan.lots:
        assert (lot.job, lot.release, lot.due, lot.weight) == ("J", 7, -5, 2.0)
        assert [(op.id, op.setup) for op in lot.operations] == [(op.id, op.setup) for op in job.operations]
    for k, operation in enumerate(job.operations):
        for machine, ticks in operation.alternatives.items():
            shares = [lot.operations[k].alternatives[machine] for lot in plan.lots]
            assert sum(shares) == ticks
            assert min(shares) >= 0


@given(cases(quantity=st.none()))
def test_equal_lots(case: tuple[Job, int]):
    """Without a quantity, ceil(processing / (limit - set-ups)) lots keep the limit, alike to the tick."""
    job, limit = case
    plan = split_lots(shop_of(job), limit / HOUR)
    check_shares(job, plan)
    setups, processing = route_ticks(job.operations)
    if setups + processing <= limit:
        assert [lot.operations for lot in plan.lots] == [job.operations]
        return
    assert (len(plan.lots) - 1) * (limit - setups) < processing <= len(plan.lots) * (limit - setups)
    for lot in plan.lots:
        assert lot.quantity is None
        assert length(lot) <= limit + len(job.operations) - 1
        for op, whole in zip(lot.operations, job.operations, strict=True):
            for machine, share in op.alternatives.items():
                assert abs(share - whole.alternatives[machine] / len(plan.lots)) < 1


@given(cases(quantity=st.integers(1, 300) | st.integers(1, 10**12)))
def test_lots_of_whole_parts(case: tuple[Job, int]):
    """With a quantity, time goes with the parts of a lot, and only a single part may pass the limit."""
    job, limit = case
    plan = split_lots(shop_of(job), limit / HOUR)
    check_shares(job, plan)
    assert sum(lot.quantity for lot in plan.lots) == job.quantity
    for lot in plan.lots:
        assert lot.quantity >= 1
        assert lot.quantity == 1 or length(lot) <= limit + len(job.operations) - 1
        for op, whole in zip(lot.operations, job.operations, strict=True):
            for machine, share in op.alternatives.items():
                assert abs(share - whole.alternatives[machine] * lot.quantity / job.quantity) < 1


@given(cases(quantity=st.integers(1, 40)))
def test_no_more_lots_than_whole_parts_ask_for(case: tuple[Job, int]):
    """The number of lots is the smallest whose largest lot fits, found here by trying them all."""
    job, limit = case
    setups, processing = route_ticks(job.operations)
    fits = [
        n for n in range(1, job.quantity + 1) if -(-job.quantity // n) * processing <= (limit - setups) * job.quantity
    ]
    expected = fits[0] if fits else job.quantity
    assert len(split_lots(shop_of(job), limit / HOUR).lots) == expected


def test_the_factorys_longest_job():
    """A job of 332.36 h in 4 operations with set-ups of 0.25 h becomes 6 lots of at most 60 h."""
    ticks = [83 * HOUR, 83 * HOUR, 83 * HOUR, round(82.36 * HOUR)]
    job = Job("long", tuple(Operation(f"{k}", {"A": t, "B": t - 900}, 900) for k, t in enumerate(ticks)))
    short = Job("short", (Operation("s", {"C": 60 * HOUR}),))
    plan = split_lots(shop_of(job, short), 60)
    assert [(lot.job, lot.index) for lot in plan.lots] == [("long", k) for k in range(6)] + [("short", 0)]
    assert all(length(lot) <= 60 * HOUR for lot in plan.lots)
    assert plan.lots[6].operations == short.operations
    assert (plan.max_lot_hours, plan.shop.jobs) == (60, (job, short))


def test_whole_jobs():
    """Without a limit every job is one lot, its quantity kept."""
    job = Job("J", (Operation("1", {"A": 5}),), release=1, due=2, weight=3.0, quantity=4)
    (lot,) = split_lots(shop_of(job), None).lots
    assert (lot.operations, lot.release, lot.due, lot.weight, lot.quantity) == (job.operations, 1, 2, 3.0, 4)


def test_set_ups_that_reach_the_limit_are_refused_by_name():
    """Every job that no cut can make fit is named; jobs that fit are no fault, whatever their set-ups."""
    jobs = [Job(f"J{k}", (Operation(f"{k}", {"A": HOUR}, setup=k * HOUR),)) for k in range(4)]
    with pytest.raises(ShopError) as caught:
        split_lots(shop_of(*jobs), 2)
    assert [fault.split("'")[1] for fault in caught.value.faults] == ["J2", "J3"]
    assert "set-ups of 2 h alone reach the lot size of 2 h" in str(caught.value)
    assert len(split_lots(shop_of(*jobs), 4).lots) == 4


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), 1e-9, 1e9])
def test_senseless_limits_are_refused(hours: float):
    """A lot size is a positive number of hours that a tick can express."""
    with pytest.raises(ShopError, match="max_lot_hours"):
        split_lots(shop_of(Job("J", (Operation("1", {"A": 5}),))), hours)


def test_too_many_lots_are_refused_before_they_are_made():
    """A lot size in the wrong unit does not fill the memory."""
    jobs = [Job(f"J{k}", (Operation(f"{k}", {"A": 87_600 * HOUR}),)) for k in range(3)]
    with pytest.raises(ShopError, match="lots are more than 1000000: give a larger lot size"):
        split_lots(shop_of(*jobs), 2 / HOUR)
    with pytest.raises(ShopError, match="30 lots are more than 29"):
        split_lots(shop_of(*jobs), 8_760, most=29)


def test_repeated_set_ups_count_against_the_horizon():
    """Set-ups that lots repeat may carry a plan past 2^30 ticks though whole jobs stay below."""
    job = Job("J", (Operation("1", {"A": 2000 * HOUR}, setup=999 * HOUR),))
    with pytest.raises(ShopError, match=r"past 2\^30"):
        split_lots(shop_of(job), 1000)


def test_a_shop_is_left_as_it_was():
    """Cutting builds new records; the shop that the fingerprint is of stays whole."""
    shop = shop_of(Job("J", (Operation("1", {"A": 10 * HOUR}, 60),)))
    before = dataclasses.replace(shop)
    split_lots(shop, 1)
    assert shop == before
    assert split_lots(shop, 1).shop is shop
