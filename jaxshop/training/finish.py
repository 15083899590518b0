"""The end of a training run: judge the chosen checkpoint, write its schedule, and report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from chex import ArrayTree

from jaxshop.parallel.mesh import device_name, local
from jaxshop.policies.checkpoint import Store, export_policy
from jaxshop.schedule import Schedule
from jaxshop.schedule import write as write_schedule
from jaxshop.search.compiled import Dispatch, play_rule
from jaxshop.search.tune import Tuned, tune_linear
from jaxshop.search.types import Stop, Task
from jaxshop.shop import TICKS_PER_HOUR, gap_percent, shop_facts, span
from jaxshop.training.config import Config
from jaxshop.training.evaluate import Evaluator, rule_makespans, verified
from jaxshop.training.origin import Origin
from jaxshop.training.problem import TrainingProblem
from jaxshop.training.progress import Spent
from jaxshop.training.provenance import trained_on
from jaxshop.views.gantt import write_gantt


@dataclass(frozen=True)
class Chosen:
    """The checkpoint that the run is judged by, and the one that it ended with."""

    weights: ArrayTree
    meta: Mapping[str, Any]
    last: ArrayTree

    @property
    def update(self) -> int:
        """The updates that made it."""
        return int(self.meta["step"])


def choose(store: Store, like: ArrayTree) -> Chosen:
    """The checkpoint with the best score, and the latest."""
    best, latest = store.best(), store.latest()
    assert best is not None
    assert latest is not None
    return Chosen(local(store.weights(best, like)), store.meta(best), local(store.weights(latest, like)))


@dataclass(frozen=True)
class Plan:
    """The verified schedule that the run hands out, and who made it."""

    schedule: Schedule
    source: str
    begun: Schedule
    """What the search went on from: the best of policy, samples and rules."""
    begun_source: str


@dataclass(frozen=True)
class Judgement:
    """Verified schedules of the policy, and everything that it has to be better than; rules in ticks."""

    untrained: Dispatch
    greedy: Dispatch
    last: Dispatch
    sampled: Dispatch
    rules: Mapping[str, float]
    tuned: Tuned

    plan: Plan


def judge(
    problem: TrainingProblem, config: Config, evaluator: Evaluator, chosen: Chosen, initial: ArrayTree, seconds: float
) -> Judgement:
    """Compare the chosen weights with the last, the initial ones, rules, and a baseline tuned for so many seconds.

    Raises:
        InvalidScheduleError: a schedule is invalid.
    """
    seed, evaluation = config.run.seed, config.evaluation
    whose, with_due = f"update {chosen.update}", any(job.due is not None for job in problem.plan.shop.jobs)
    greedy = evaluator.greedy(chosen.weights, whose)
    sampled = evaluator.best_of(chosen.weights, evaluation.samples, seed, whose)
    rules = rule_makespans(problem.own_env, problem.own, evaluation.rule_seeds, with_due)
    plan, source = (sampled, "policy:samples") if int(sampled.cost) < int(greedy.cost) else (greedy, "policy:greedy")
    best = min((name for name in rules if not name.startswith("random")), key=lambda name: rules[name])
    if rules[best] < int(plan.makespan):
        plan, source = play_rule(problem.own_env, problem.own, best), f"rule:{best}"
    begun = verified(problem.plan, plan, f"the schedule of {source}")
    return Judgement(
        evaluator.greedy(initial, "untrained"),
        greedy,
        evaluator.greedy(chosen.last, "the last update"),
        sampled,
        rules,
        tune_linear(problem.own_env, problem.own, jax.random.key(seed), evaluation.baseline_seconds or seconds),
        _searched(problem, begun, source, evaluation.plan_work, seed),
    )


def _searched(problem: TrainingProblem, begun: Schedule, source: str, work: int, seed: int) -> Plan:
    """Let the method `improve` go on from a schedule for so much work, or until the certified bound is met.

    Work and not seconds: the same run gives the same plan, however busy the machine is.
    """
    if work == 0:
        return Plan(begun, source, begun, source)
    from jaxshop.search.improve.method import Improve  # loads Numba, which training has no need of

    task = Task(problem.plan, problem.certificate)
    stop = Stop(work=work, target=problem.certificate.cost(task.objective))
    *_, best = Improve(begun).search(task, seed, stop)
    return Plan(best.schedule, source if best.source == "start" else best.source, begun, source)


def write(problem: TrainingProblem, config: Config, judgement: Judgement, chosen: Chosen, folder: Path) -> Schedule:
    """Put the schedule and its picture into the run folder, and the policy where the config wants it."""
    schedule = judgement.plan.schedule
    if config.run.export_to is not None:
        export_policy(chosen.weights, chosen.meta, Path(config.run.export_to))
    write_schedule(folder / "schedule.json", schedule)
    write_gantt(folder / "gantt.html", problem.plan, schedule, problem.certificate.value, _target(config))
    return schedule


def report(
    problem: TrainingProblem, config: Config, judgement: Judgement, chosen: Chosen, spent: Spent, origin: Origin
) -> dict[str, Any]:
    """The final JSON, but for the folder and the seconds of the whole command."""
    greedy, bound, target = int(judgement.greedy.makespan), problem.certificate.value, _target(config)
    return {
        "shop": shop_facts(problem.plan),
        "lower_bound_hours": _hours(bound),
        "target_hours": config.run.target_hours,
        "target_met": None if target is None else greedy <= target,
        "initialised_from": origin.policy,
        "trained_on": trained_on(config, problem.plan, chosen.update, origin),
        "policy": {
            "initial_hours": _hours(judgement.untrained.makespan),
            "greedy_hours": _hours(greedy),
            "best_of_hours": _hours(judgement.sampled.makespan),
            "samples": config.evaluation.samples,
            "chosen_update": chosen.update,
            "last_greedy_hours": _hours(judgement.last.makespan),
        },
        "plan": _plan(judgement.plan, bound),
        "rules": {name: _hours(ticks) for name, ticks in judgement.rules.items()},
        "baselines": {"linear_cem": _hours(judgement.tuned.makespan)},
        "gap_percent": round(100 * (greedy / bound - 1), 3),
        "seconds_to_target": None if spent.seconds_to_target is None else round(spent.seconds_to_target, 1),
        "training_seconds": round(spent.seconds, 1),
        "baseline_seconds": round(judgement.tuned.seconds, 1),
        "compile_seconds": round(spent.compile_seconds, 1),
        "env_steps": spent.env_steps,
        "env_steps_per_second": round(spent.env_steps / max(spent.seconds - spent.compile_seconds, 1e-9)),
        "device": device_name(),
    }


def plan_line(problem: TrainingProblem, plan: Plan) -> str:
    """Who made the plan, and how good it is, for people."""
    bound, unit = problem.certificate.value, problem.plan.shop.unit
    from_start = plan.source != plan.begun_source
    begun = f", begun with {span(plan.begun.makespan, unit)} of {plan.begun_source}" if from_start else ""
    over = f"{gap_percent(plan.schedule.makespan, bound):.2f} % over the bound"
    judged = "proven optimal" if plan.schedule.makespan <= bound else over
    return f"plan: {span(plan.schedule.makespan, unit)}, {judged}, by {plan.source}{begun}"


def _plan(plan: Plan, bound: int) -> dict[str, Any]:
    return {
        "hours": _hours(plan.schedule.makespan),
        "source": plan.source,
        "proven_optimal": plan.schedule.makespan <= bound,
        "begun_with": {"hours": _hours(plan.begun.makespan), "source": plan.begun_source},
    }


def _target(config: Config) -> int | None:
    hours = config.run.target_hours
    return None if hours is None else round(hours * TICKS_PER_HOUR)


def _hours(ticks: Any) -> float:
    return round(float(ticks) / TICKS_PER_HOUR, 6)  # finer than a tick
