"""The end of a training run: judge the chosen checkpoint, write its schedule, and report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jax
from chex import ArrayTree
from rich.console import Console

from jaxshop.parallel.mesh import device_name, local
from jaxshop.policies.checkpoint import Store, export_policy
from jaxshop.schedule import Schedule
from jaxshop.schedule import write as write_schedule
from jaxshop.search.compiled import Dispatch, play_rule
from jaxshop.search.tune import Tuned, tune_linear
from jaxshop.search.types import Stop, Task
from jaxshop.shop import TICKS_PER_HOUR, gap_percent, shop_facts, span
from jaxshop.training.callbacks import Ending
from jaxshop.training.config import Config
from jaxshop.training.evaluate import Evaluator, Played, rules_played, verified
from jaxshop.training.origin import Origin
from jaxshop.training.problem import TrainingProblem
from jaxshop.training.progress import Spent
from jaxshop.training.provenance import trained_on
from jaxshop.views.gantt import write_gantt

Made = TypeVar("Made")


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
    """Verified schedules of the policy, and everything that it has to be better than."""

    untrained: Dispatch
    greedy: Dispatch
    last: Dispatch
    sampled: Dispatch
    rules: Mapping[str, Played]
    tuned: Tuned
    plan: Plan
    seconds: Mapping[str, float]
    """What `greedy`, `sampled` and the `plan` took, training apart."""


def judge(
    problem: TrainingProblem,
    config: Config,
    evaluator: Evaluator,
    chosen: Chosen,
    initial: ArrayTree,
    seconds: float,
    ending: Ending | None = None,
) -> Judgement:
    """Compare the chosen weights with the last, the initial ones, rules, and a tuned baseline.

    Args:
        seconds: what training took, for a baseline of equal time.
        ending: is told what is done.

    Raises:
        InvalidScheduleError: a schedule is invalid.
    """
    seed, evaluation = config.run.seed, config.evaluation
    step = (ending or Ending(Console(quiet=True))).step
    whose, with_due = f"update {chosen.update}", any(job.due is not None for job in problem.plan.shop.jobs)
    with step(f"playing the policy of {whose}, and {evaluation.samples} samples"):
        greedy, of_greedy = _timed(lambda: evaluator.greedy(chosen.weights, whose))
        sampled, of_samples = _timed(lambda: evaluator.best_of(chosen.weights, evaluation.samples, seed, whose))
        untrained, last = evaluator.greedy(initial, "untrained"), evaluator.greedy(chosen.last, "the last update")
    with step("playing every rule"):
        rules = rules_played(problem.own_env, problem.own, evaluation.rule_seeds, with_due)
    plan, source = (sampled, "policy:samples") if int(sampled.cost) < int(greedy.cost) else (greedy, "policy:greedy")
    best = min((name for name in rules if not name.startswith("random")), key=lambda name: rules[name].makespan)
    if rules[best].makespan < int(plan.makespan):
        plan, source = play_rule(problem.own_env, problem.own, best), f"rule:{best}"
    begun = verified(problem.plan, plan, f"the schedule of {source}")
    limit = evaluation.baseline_seconds or seconds
    with step("tuning the baseline, a linear priority,", limit) as watch:
        tuned = tune_linear(problem.own_env, problem.own, jax.random.key(seed), limit, watch=watch)
    with step("searching on from the best of them"):
        found, of_search = _timed(lambda: _searched(problem, begun, source, evaluation.plan_work, seed))
    took = {"greedy": of_greedy, "sampled": of_samples, "plan": of_search}
    return Judgement(untrained, greedy, last, sampled, rules, tuned, found, took)


def _timed(make: Callable[[], Made]) -> tuple[Made, float]:
    begun = time.monotonic()
    return make(), time.monotonic() - begun


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
        "rules": {name: _hours(played.makespan) for name, played in judgement.rules.items()},
        "baselines": {"linear_cem": _hours(judgement.tuned.makespan)},
        "gap_percent": round(100 * (greedy / bound - 1), 3),
        "seconds_to_target": None if spent.seconds_to_target is None else round(spent.seconds_to_target, 1),
        "method_seconds": _method_seconds(judgement, spent),
        "training_seconds": round(spent.seconds, 1),
        "baseline_seconds": round(judgement.tuned.seconds, 1),
        "compile_seconds": round(spent.compile_seconds, 1),
        "env_steps": spent.env_steps,
        "env_steps_per_second": round(spent.env_steps / max(spent.seconds - spent.compile_seconds, 1e-9)),
        "device": device_name(),
    }


def _method_seconds(judgement: Judgement, spent: Spent) -> dict[str, float]:
    """What each method took for the shop: the policy's with its training, the plan's of the search alone."""
    took, trained = judgement.seconds, spent.seconds
    found = {name: played.seconds for name, played in judgement.rules.items()}
    found |= {"linear_cem": judgement.tuned.seconds, "greedy": trained + took["greedy"]}
    found |= {"best_of": trained + took["sampled"], "plan": took["plan"]}
    return {name: round(seconds, 2) for name, seconds in found.items()}


def verdict_lines(
    problem: TrainingProblem, config: Config, judgement: Judgement, report: Mapping[str, Any]
) -> Iterator[str]:
    """How the run ended: the best method, the policy and the target, and where the files are."""
    unit, bound = problem.plan.shop.unit, problem.certificate.value
    yield plan_line(problem, judgement.plan)
    greedy = int(judgement.greedy.makespan)
    policy = (
        f"policy: greedy {span(greedy, unit)}, {gap_percent(greedy, bound):.2f} % over the bound of {span(bound, unit)}"
    )
    target, reached = _target(config), report["seconds_to_target"]
    if target is None:
        yield f"{policy}; no target"
    elif reached is None:
        yield f"{policy}; target {span(target, unit)} {'met' if greedy <= target else 'missed'}"
    else:
        met = "met" if greedy <= target else "met in between,"
        yield f"{policy}; target {span(target, unit)} {met} after {reached:.0f} s"
    yield f"{report['run_dir']}: schedule.json, gantt.html, curves.html, report.json"


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
