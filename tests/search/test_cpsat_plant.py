"""The method `cpsat` under the plant's own rules: at the optimum of small shops, by the verifier's figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jaxshop.schedule import kpis, verify
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search import cpsat_plant
from jaxshop.search.cpsat import CpSat
from jaxshop.search.cpsat_plant import PlantModel
from jaxshop.search.types import Incumbent, Stop, Task
from jaxshop.shop import Downtime, Fixed, Job, LotPlan, Machine, Objective, Operation, Shop, split_lots
from jaxshop.support.errors import ShopError
from tests.oracles.plant import optimum
from tests.plant import plant_plan
from tests.shops import HOUR


def solved(plan: LotPlan) -> tuple[Incumbent, int]:
    """The last incumbent of a search to its end, and the best bound on the way."""
    task, proven = Task.of(plan), []
    *_, best = CpSat(workers=1, bound=proven.append).search(task, 0, Stop(60))
    return best, max([task.certificate.cost(task.objective), *proven])


@pytest.mark.parametrize("seed", range(24))
def test_small_shops_end_at_the_optimum(seed: int):
    """Its proven cost is that of its verified schedule, and brute force's, with fixed work anywhere."""
    plan = plant_plan(seed, jobs=3 - seed % 2, machines=2, most_operations=2, frozen=seed % 3, held=seed % 2)
    best, bound = solved(plan)
    assert verify(plan, best.schedule) == []
    assert best.cost == bound
    figures, weights = kpis(plan, best.schedule, 1), plan.shop.objective
    late = (figures["lateness"] or {"weighted_tardiness_hours": 0.0})["weighted_tardiness_hours"]
    assert best.cost / HOUR == pytest.approx(weights.makespan * figures["makespan_hours"] + weights.tardiness * late)
    assert best.cost == optimum(plan)


def test_other_work_may_run_before_fixed_work():
    """By hand: 2 h of other work fit before what is fixed at 3 h."""
    fixed = Job("F", (Operation("f", {"A": HOUR}, fixed=Fixed("A", 3 * HOUR)),))
    free = Job("G", (Operation("g", {"A": 2 * HOUR}),))
    plan = split_lots(Shop("x", (Machine("A"),), (fixed, free)), None)
    assert optimum(plan) == solved(plan)[0].cost == 4 * HOUR


def test_tardiness_alone_may_want_a_longer_plan():
    """By hand: the urgent job first costs 8 h of makespan beside the shortest plan of 7 h, and no lateness."""
    jobs = (
        Job("long", (Operation("l1", {"A": 3 * HOUR}), Operation("l2", {"B": 4 * HOUR}))),
        Job("urgent", (Operation("u", {"A": HOUR}),), due=HOUR),
    )
    shop = Shop("x", (Machine("A"), Machine("B")), jobs, objective=Objective(0.0, 1.0))
    late, _ = solved(split_lots(shop, None))
    assert (late.cost, late.schedule.makespan) == (0, 8 * HOUR)
    short, _ = solved(split_lots(replace(shop, objective=Objective()), None))
    assert short.schedule.makespan == 7 * HOUR
    closed = replace(shop.machines[0], unavailable=(Downtime(0, 2 * HOUR),))
    late, _ = solved(split_lots(replace(shop, machines=(closed, shop.machines[1])), None))
    assert late.cost == 2 * HOUR


def dear() -> LotPlan:
    """Weights and times that 64 bits do not hold in sum."""
    jobs = tuple(Job(f"{j}", (Operation(f"{j}", {"A": HOUR}),), weight=1e9 + j, due=j * HOUR) for j in range(40))
    late = Machine("A", available_from=200_000 * HOUR)
    return split_lots(Shop("dear", (late,), jobs, objective=Objective(1.0, 1.0)), None)


def test_dear_jobs_make_no_model_that_the_solver_refuses():
    """Shows that the solver is told of them more coarsely."""
    plan = dear()
    model = PlantModel.of(Task.of(plan), best_rule(plan)[1], Stop(60))
    assert model is not None
    assert model.proto.validate() == ""


def test_a_model_that_the_solver_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch):
    """Shows an error in place of a search that finds nothing."""
    monkeypatch.setattr(cpsat_plant, "ROOM", 2**90)
    with pytest.raises(ShopError, match="OR-Tools refuses the model: Possible integer overflow"):
        solved(dear())
