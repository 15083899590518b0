"""When a run ends."""

from __future__ import annotations

import io
import math

from rich.console import Console

from jaxshop.shop import TICKS_PER_HOUR
from jaxshop.training.callbacks import Ending
from jaxshop.training.config import load_config
from jaxshop.training.evaluate import Score, rank
from jaxshop.training.finish import Chosen, baselines, scored
from jaxshop.training.progress import Clock, Spent, met_target, per_second, spent_before
from jaxshop.training.stop import StopRule


def rule(*overrides: str) -> StopRule:
    """Of a run of four updates with a target of 10 h."""
    lengths = ["general.updates=4", "own.updates=0", "run.target_hours=10"]
    return StopRule(load_config(None, [*lengths, *overrides]))


def test_a_run_ends_with_its_budget():
    """Shows that the last update ends it, and that a target met does not."""
    stop = rule()
    assert [stop.after_update(done, 1e9) for done in (1, 3, 4)] == [False, False, True]
    assert [stop.after_evaluation(9 * TICKS_PER_HOUR) for _ in range(3)] == [False] * 3


def test_a_run_ends_with_its_seconds():
    """Shows that seconds cap the updates."""
    stop = rule("stop.max_seconds=5")
    assert [stop.after_update(1, seconds) for seconds in (4.9, 5.0)] == [False, True]


def test_a_target_must_be_met_twice_in_a_row():
    """Shows that one lucky evaluation is not enough."""
    stop = rule("stop.when=target")
    assert [stop.after_evaluation(ticks) for ticks in (36000, 36001, 32400, 36000)] == [False, False, False, True]


def test_a_target_met_before_an_interruption_counts():
    """Shows that a resumed run ends with the next evaluation that meets it, where the last before it did as well."""
    lines = [{"own_hours": 9.0}, {"own_hours": 11.0}, {"own_hours": 10.0}, {"gap": 0.2}]
    assert [met_target(lines[:n], 10.0) for n in range(5)] == [False, True, False, True, True]
    assert not met_target(lines, None)
    config = load_config(None, ["stop.when=target", "run.target_hours=10"])
    assert [StopRule(config, met).after_evaluation(36000) for met in (False, True)] == [False, True]
    assert not StopRule(config, True).after_evaluation(36001)


def test_what_a_run_spent_adds_up():
    """Shows seconds, compilation, operations and the time of the target over two processes."""
    first = Clock()
    first.add("update", 5.0, steps=10)
    first.add("update", 1.0, steps=10)
    first.add("evaluation", 3.0)
    first.reach_target()
    assert first.spent() == Spent(9.0, 7.0, 20, 9.0)
    second = Clock(first.spent())
    second.add("update", 4.0, steps=5)
    second.add("update", 1.0, steps=5)
    second.reach_target()
    assert second.here == 5.0
    assert second.spent() == Spent(14.0, 10.0, 30, 9.0)


def test_nothing_is_waited_for_where_the_first_call_was_the_quicker():
    """Shows that seconds of compilation, all of whose programs come from a cache, are never less than none."""
    clock = Clock()
    for seconds in (3.0, 4.0):
        clock.add("update", seconds)
    assert clock.spent().compile_seconds == 0.0


def test_a_rate_needs_an_update_after_the_first():
    """Shows that where every call was the first of its kind, all seconds are compilation's and there is no rate."""
    clock = Clock()
    for kind in ("general", "evaluation", "own"):
        clock.add(kind, 0.1, steps=7)
    assert per_second(21, clock.spent().seconds - clock.spent().compile_seconds) is None
    clock.add("own", 0.05, steps=7)
    assert per_second(28, clock.spent().seconds - clock.spent().compile_seconds) == 280


def test_what_was_spent_is_read_off_the_metrics():
    """Shows the sums of a run's lines, and none where it is new."""
    lines = [
        {"seconds": 2.0, "compile_seconds": 1.5, "steps": 7.0, "own_hours": 12.0},
        {"seconds": 3.0, "compile_seconds": 1.0, "steps": 7.0, "own_hours": 10.0},
    ]
    assert spent_before(lines, 10.0) == Spent(3.0, 1.0, 14, 3.0)
    assert spent_before(lines, None) == Spent(3.0, 1.0, 14, None)
    assert spent_before([], 10.0) == Spent()


def test_a_run_shortened_to_where_it_stands_is_scored():
    """Shows that a checkpoint of an interrupted update has a score by the end, as one evaluated there would, and that
    one that has a score keeps it.
    """
    asked = []

    class Evaluator:
        def score(self, weights, whose):
            asked.append((weights, whose))
            return Score(36000, 0.25, {"reference": 0.5})

    config = load_config(None, ["general.updates=5", "own.updates=0"])
    chosen = scored(Chosen("weights", {"step": 5, "score": math.inf}, "weights"), config, Evaluator())
    assert chosen.meta["score"] == rank(Score(36000, 0.25, {"reference": 0.5}), config, "general")
    assert scored(chosen, config, Evaluator()) is chosen
    assert asked == [("weights", "update 5")]


def test_the_baseline_takes_its_setting_or_as_long_as_training_took():
    """Shows 30 s where nothing is said, the seconds that are, and with `none` those of training."""

    class Evaluator:
        def rules(self, seeds):
            return {}

        def tuned(self, seed, limit, watch):
            return limit

    ending = Ending(Console(file=io.StringIO()))

    def seconds(*overrides: str) -> object:
        return baselines(load_config(None, overrides), Evaluator(), 1234.5, ending).tuned

    assert seconds() == 30.0
    assert seconds("evaluation.baseline_seconds=7") == 7.0
    assert seconds("evaluation.baseline_seconds=none") == 1234.5
