"""Fixed work behind work that is free: lots in pieces, and time that is reserved for what goes before."""

from __future__ import annotations

import pytest

from jaxshop.schedule import verify
from jaxshop.schedule.dispatch import RULES, applicable, dispatch_by_rule
from jaxshop.shop import Changeover, Fixed, Job, LotPlan, Machine, Operation, Shop, split_lots
from jaxshop.shop.pieces import MOST, NoTimeError, in_pieces, reserved
from tests.oracles.held import SIZES, count
from tests.oracles.plant import NEVER, optimum
from tests.plant import HOUR, plant_plan


def held(start: float = 6, *, changeovers: tuple[Changeover, ...] = (), **first: object) -> LotPlan:
    """a (2 h on P or 3 h on Q, then 1 h of lag), b (1 h on Q) fixed, c (2 h on P); D: 4 h on P."""
    route = (
        Operation("a", {"P": 2 * HOUR, "Q": 3 * HOUR}, lag=HOUR, **first),
        Operation("b", {"Q": HOUR}, fixed=Fixed("Q", round(start * HOUR))),
        Operation("c", {"P": 2 * HOUR}),
    )
    jobs = (Job("A", route), Job("D", (Operation("d", {"P": 4 * HOUR}, family="red" if changeovers else None),)))
    return split_lots(Shop("held", (Machine("P"), Machine("Q")), jobs, changeovers=changeovers), None)


def test_a_lot_falls_apart_before_what_is_fixed():
    """By hand: a must have ended 1 h before 6 h; b and c are a piece that begins with what is fixed."""
    pieces = in_pieces(held())
    found = [([op.id for op in lot.operations], lot.until) for lot in pieces.lots]
    assert found == [(["a"], 5 * HOUR), (["b", "c"], None), (["d"], None)]
    plain = plant_plan(3, frozen=2)
    assert in_pieces(plain) is plain
    assert reserved(plain) is plain


@pytest.mark.parametrize(("wanted", "expected"), [(None, ("P", 0)), (("P", 2), ("P", 2)), (("Q", 1), ("Q", 1))])
def test_time_is_reserved(wanted: tuple[str, int] | None, expected: tuple[str, int]):
    """By hand: a runs where it ends first, or where it is wanted and in time."""
    places = {("A", 0, "a"): (wanted[0], wanted[1] * HOUR)} if wanted else {}
    fixed = reserved(held(), places).lots[0].operations[0].fixed
    assert fixed is not None
    assert (fixed.machine, fixed.start) == (expected[0], expected[1] * HOUR)


def test_wanted_places_give_way():
    """By hand: at 4 h a would end an hour too late."""
    fixed = reserved(held(), {("A", 0, "a"): ("P", 4 * HOUR)}).lots[0].operations[0].fixed
    assert fixed == Fixed("P", 0, 0)


def test_no_time_is_said_by_name():
    """By hand: the 2 h of a and its lag do not fit before 2.5 h; who did not look cannot say so."""
    with pytest.raises(NoTimeError, match="there is no time for what goes before operation 'b', which is fixed"):
        reserved(held(2.5))
    with pytest.raises(NoTimeError, match="no time was found for what goes before operation 'b', which is fixed"):
        reserved(held(2.5), most=0)


def test_other_work_sets_a_machine_up():
    """By hand: at its release at 4 h a has no time left for the set-up; d, which nothing waits for, has done it."""
    red = Operation("a", {"P": 2 * HOUR}, family="red")
    jobs = (
        Job("A", (red, Operation("b", {"Q": HOUR}, fixed=Fixed("Q", 6 * HOUR))), release=4 * HOUR),
        Job("D", (Operation("d", {"P": 3 * HOUR}, family="red"),)),
    )
    shop = Shop("held", (Machine("P"), Machine("Q")), jobs, changeovers=(Changeover("red", HOUR, machine="P"),))
    found = reserved(split_lots(shop, None))
    assert [lot.operations[0].fixed for lot in found.lots] == [Fixed("P", 4 * HOUR, 0), Fixed("P", 0, HOUR)]


@pytest.mark.parametrize("size", SIZES)
def test_time_is_found_where_there_is_some(size: tuple[int, int, int]):
    """Shows against enumeration, on plans of which some have none, that the answer is right and said to be certain."""
    found = count(range(40), size, MOST)
    assert set(found) == {(True, "found"), (False, "none")}


def test_a_set_up_is_reserved_too():
    """By hand: a asks for an hour on P and none on Q; what runs before it must leave that as it is."""
    plan = held(changeovers=(Changeover("blue", HOUR, machine="P"), Changeover("red", 0, machine="P")), family="blue")
    op = reserved(plan).lots[0].operations[0]
    assert (op.fixed, op.setup) == (Fixed("P", 0, HOUR), HOUR)
    for rule in applicable(plan):
        for active in (False, True):
            assert verify(plan, dispatch_by_rule(plan, RULES[rule], active)) == []


def test_where_time_is_found_there_is_some():
    """Shows on random shops that rules keep what is fixed, and that brute force finds a schedule as well."""
    for seed in range(40):
        plan = plant_plan(seed, jobs=2, machines=2, held=2)
        assert optimum(plan) < NEVER
        for rule in ("MWKR", "FIFO"):
            assert verify(plan, dispatch_by_rule(plan, RULES[rule], bool(seed % 2))) == []


def test_time_is_reserved_once():
    """All that plays a plan asks it, so that a schedule that is decoded does not look for time again."""
    plan = held()
    assert plan.reserved is plan.reserved
    assert plan.reserved == reserved(plan)
