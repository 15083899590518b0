"""The end of a training run: judge the chosen checkpoint, write its schedule, and report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from chex import ArrayTree

from jaxshop.parallel.mesh import device_name, local
from jaxshop.policies.checkpoint import CheckpointError, Store, export_policy
from jaxshop.schedule import Schedule
from jaxshop.schedule import write as write_schedule
from jaxshop.search.auto import improving
from jaxshop.search.tune import Tuned
from jaxshop.search.types import Incumbent, Stop
from jaxshop.shop import TICKS_PER_HOUR, gap_percent, shop_facts, span
from jaxshop.support.settings import ConfigError
from jaxshop.training.callbacks import Ending
from jaxshop.training.config import Config
from jaxshop.training.evaluate import Evaluator, Ruled, rank
from jaxshop.training.origin import Origin
from jaxshop.training.problem import TrainingProblem
from jaxshop.training.progress import Spent, per_second
from jaxshop.views.gantt import write_gantt

Done = TypeVar("Done")


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


def scored(chosen: Chosen, config: Config, evaluator: Evaluator) -> Chosen:
    """With a score where it has none, as of a run that was interrupted and then shortened to where it stands.

    Raises:
        InvalidScheduleError: the evaluation came to an invalid schedule.
    """
    if math.isfinite(chosen.meta["score"]):
        return chosen
    found = rank(evaluator.score(chosen.weights, f"update {chosen.update}"), config, config.lessons()[-1].stage)
    return replace(chosen, meta={**chosen.meta, "score": found})


@dataclass(frozen=True)
class Made:
    """A verified schedule, its cost in ticks, and who made it."""

    schedule: Schedule
    cost: float
    source: str


@dataclass(frozen=True)
class Plan:
    """What the run hands out, and what the search for it went on from: the best of policy, samples and rules."""

    made: Made
    begun: Made


@dataclass(frozen=True)
class Baselines:
    """What a policy has to be better than."""

    rules: Mapping[str, Ruled]
    tuned: Tuned


@dataclass(frozen=True)
class Judgement:
    """Verified schedules of the policy, and what it has to be better than."""

    untrained: Incumbent
    greedy: Incumbent
    last: Incumbent
    sampled: Incumbent
    baselines: Baselines
    plan: Plan
    seconds: Mapping[str, float]
    """What `greedy`, `sampled` and the `plan` took, training apart."""


def baselines(config: Config, evaluator: Evaluator, seconds: float, ending: Ending) -> Baselines:
    """Play every rule, and tune a linear priority.

    Args:
        seconds: what training took, for a priority of equal time.
        ending: is told what is done.

    Raises:
        InvalidScheduleError: a schedule is invalid.
    """
    with ending.step("playing every rule"):
        rules = evaluator.rules(config.evaluation.rule_seeds)
    limit = config.evaluation.baseline_seconds or seconds
    with ending.step("tuning the baseline, a linear priority,", limit) as watch:
        return Baselines(rules, evaluator.tuned(config.run.seed, limit, watch))


def judge(
    problem: TrainingProblem,
    config: Config,
    evaluator: Evaluator,
    chosen: Chosen,
    initial: ArrayTree,
    against: Baselines,
    ending: Ending,
) -> Judgement:
    """Compare the chosen weights with the last, the initial ones and the baselines, and search on from the best.

    Raises:
        InvalidScheduleError: a schedule is invalid.
    """
    seed, evaluation = config.run.seed, config.evaluation
    step, whose = ending.step, f"update {chosen.update}"
    with step(f"playing the policy of {whose}, and {evaluation.samples} samples"):
        greedy, of_greedy = _timed(lambda: evaluator.greedy(chosen.weights, whose))
        sampled, of_samples = _timed(lambda: evaluator.best_of(chosen.weights, evaluation.samples, seed, whose))
        untrained, last = evaluator.greedy(initial, "untrained"), evaluator.greedy(chosen.last, "the last update")
    played = [Made(found.schedule, found.cost, found.source) for found in (greedy, sampled)]
    ruled = [Made(found.best, found.cost, f"rule:{name}") for name, found in against.rules.items()]
    begun = min((*played, *(each for each in ruled if "random" not in each.source)), key=lambda each: each.cost)
    made, of_search = begun, 0.0
    if evaluation.plan_work:
        with step("searching on from the best of them"):
            made, of_search = _timed(lambda: _searched(problem, begun, evaluation.plan_work, seed))
    took = {"greedy": of_greedy, "sampled": of_samples, "plan": of_search}
    return Judgement(untrained, greedy, last, sampled, against, Plan(made, begun), took)


def _timed(do: Callable[[], Done]) -> tuple[Done, float]:
    begun = time.monotonic()
    return do(), time.monotonic() - begun


def _searched(problem: TrainingProblem, begun: Made, work: int, seed: int) -> Made:
    """Let the method `improve` go on from a schedule for so much work, or until the certified bound is met.

    Work and not seconds: the same run gives the same plan, however busy the machine is.
    """
    task = problem.task
    stop = Stop(work=work, target=problem.certificate.cost(task.objective))
    *_, best = improving(begun.schedule).search(task, seed, stop)
    return Made(best.schedule, best.cost, begun.source if best.source == "start" else best.source)


def write(problem: TrainingProblem, config: Config, judgement: Judgement, folder: Path) -> Schedule:
    """Put the schedule and its picture into the run folder."""
    schedule = judgement.plan.made.schedule
    write_schedule(folder / "schedule.json", schedule)
    write_gantt(folder / "gantt.html", problem.plan, schedule, problem.certificate.value, config.run.target)
    return schedule


def export(config: Config, chosen: Chosen) -> None:
    """Put the policy where the config wants it; last of all, as that is the one place outside the run folder.

    Raises:
        ConfigError: it cannot be written there any more.
    """
    if config.run.export_to is not None:
        with naming_export():
            export_policy(chosen.weights, chosen.meta, Path(config.run.export_to))


@contextmanager
def naming_export() -> Iterator[None]:
    """Say which key an export is of that is refused."""
    try:
        yield
    except CheckpointError as error:
        raise ConfigError(f"run.export_to: {error}") from None


def report(
    problem: TrainingProblem, config: Config, judgement: Judgement, chosen: Chosen, spent: Spent, origin: Origin
) -> dict[str, Any]:
    """The final JSON, but for the folder and the seconds of the whole command."""
    greedy, target = judgement.greedy.cost, config.run.target
    return {
        "shop": shop_facts(problem.plan),
        "lower_bound_hours": _hours(problem.certificate.value),
        "objective": str(problem.task.objective),
        "objective_bound_hours": _hours(problem.certificate.cost(problem.task.objective)),
        "target_hours": config.run.target_hours,
        "target_met": None if target is None else greedy <= target,
        "initialised_from": origin.policy,
        "trained_on": chosen.meta["trained_on"],
        "policy": {
            "initial_hours": _hours(judgement.untrained.cost),
            "greedy_hours": _hours(greedy),
            "best_of_hours": _hours(judgement.sampled.cost),
            "samples": config.evaluation.samples,
            "chosen_update": chosen.update,
            "last_greedy_hours": _hours(judgement.last.cost),
        },
        "plan": _plan(problem, judgement.plan),
        "rules": {name: _hours(found.cost) for name, found in judgement.baselines.rules.items()},
        "baselines": {"linear_cem": _hours(judgement.baselines.tuned.cost)},
        "gap_percent": round(100 * (greedy / problem.bound - 1), 3),
        "seconds_to_target": None if spent.seconds_to_target is None else round(spent.seconds_to_target, 1),
        "method_seconds": _method_seconds(judgement, spent),
        "training_seconds": round(spent.seconds, 1),
        "baseline_seconds": round(judgement.baselines.tuned.seconds, 1),
        "compile_seconds": round(spent.compile_seconds, 1),
        "env_steps": spent.env_steps,
        "env_steps_per_second": per_second(spent.env_steps, spent.seconds - spent.compile_seconds),
        "device": device_name(),
    }


def _method_seconds(judgement: Judgement, spent: Spent) -> dict[str, float]:
    """What each method took for the shop: the policy's with its training, the plan's of the search alone."""
    took, trained = judgement.seconds, spent.seconds
    found = {name: played.seconds for name, played in judgement.baselines.rules.items()}
    found |= {"linear_cem": judgement.baselines.tuned.seconds, "greedy": trained + took["greedy"]}
    found |= {"best_of": trained + took["sampled"], "plan": took["plan"]}
    return {name: round(seconds, 2) for name, seconds in found.items()}


def verdict_lines(
    problem: TrainingProblem, config: Config, judgement: Judgement, report: Mapping[str, Any]
) -> Iterator[str]:
    """How the run ended: the best method, the policy and the target, and where the files are."""
    unit, bound = problem.plan.shop.unit, problem.bound
    yield plan_line(problem, judgement.plan)
    greedy = judgement.greedy.cost
    policy = (
        f"policy: greedy {span(greedy, unit)}, {gap_percent(greedy, bound):.2f} % over the bound of {span(bound, unit)}"
    )
    target, reached = config.run.target, report["seconds_to_target"]
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
    unit, made, begun = problem.plan.shop.unit, plan.made, plan.begun
    from_start = f", begun with {span(begun.cost, unit)} of {begun.source}" if made.source != begun.source else ""
    over = f"{gap_percent(made.cost, problem.bound):.2f} % over the bound"
    judged = "proven optimal" if _optimal(problem, made) else over
    return f"plan: {span(made.cost, unit)}, {judged}, by {made.source}{from_start}"


def _plan(problem: TrainingProblem, plan: Plan) -> dict[str, Any]:
    return {
        "hours": _hours(plan.made.cost),
        "source": plan.made.source,
        "proven_optimal": _optimal(problem, plan.made),
        "begun_with": {"hours": _hours(plan.begun.cost), "source": plan.begun.source},
    }


def _optimal(problem: TrainingProblem, made: Made) -> bool:
    return made.cost <= problem.certificate.cost(problem.task.objective)


def _hours(ticks: Any) -> float:
    return round(float(ticks) / TICKS_PER_HOUR, 6)  # finer than a tick
