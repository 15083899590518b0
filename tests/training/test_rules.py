"""The rules that a run is held against: those that the environment plays, and those that the host alone does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.rules import HOST_RULES, applicable
from jaxshop.search.types import Task
from jaxshop.training import evaluate
from tests.plant import plant_plan


class Rollouts:
    """Stands in for what is compiled: MWKR, whatever is asked for."""

    def __init__(self, task: Task, *_: object):
        self.task = task

    def expect(self, steps: object) -> None:
        """Nothing is compiled."""

    prepare = expect

    def rules(self, names, active: bool, keys):
        """A schedule for each."""
        return [dispatch_by_rule(self.task.plan, RULES["MWKR"], active) for _ in names]


def test_a_run_is_held_against_rules_that_the_host_alone_plays(monkeypatch: pytest.MonkeyPatch):
    """Shows ATC, CR and SST, with what they cost, beside the environment's rules, where they mean something."""
    monkeypatch.setattr(evaluate, "CompiledRollouts", Rollouts)
    plan = plant_plan(3)
    task = Task.of(plan)
    problem = SimpleNamespace(task=task, plan=plan, selections={}, network=None)
    found = evaluate.Evaluator(problem).rules(2)
    assert set(found) == {f"{rule}{kind}" for rule in (*applicable(task), *HOST_RULES) for kind in ("", "/active")}
    for rule in HOST_RULES:
        assert found[rule].cost == task.cost(found[rule].best)
        assert found[rule].best == dispatch_by_rule(plan, RULES[rule], False)
