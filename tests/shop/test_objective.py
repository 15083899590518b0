"""The objective as a value: the cost of a schedule, and what is refused."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from jaxshop.shop import MAKESPAN, Job, Objective


def test_the_makespan_costs_what_the_last_job_takes():
    """Shows the cost of the only objective so far: the end of the last job, 0 without jobs."""
    assert MAKESPAN.cost({"A": 7, "B": 12}) == 12
    assert MAKESPAN.cost({}) == 0
    assert MAKESPAN.combined(9, 0) == 9
    assert Objective() == MAKESPAN


def test_tardiness_costs_its_weight_and_the_jobs_own():
    """By hand: weight times ticks late of each job with a due date, early ones 0, and the makespan beside it."""
    jobs = [Job("A", (), due=5, weight=3.0), Job("B", (), due=20, weight=7.0), Job("C", ())]
    ends = {"A": 9, "B": 12, "C": 30}
    assert Objective(0.0, 1.0).cost(ends, jobs) == 3 * 4
    assert Objective(0.5, 2.0).cost(ends, jobs) == 15 + 2 * 12
    assert Objective(0.0, 1.0).combined(30, Objective(0.0, 1.0).parts(jobs[0]) * 4) == 12


@given(
    st.floats(0, 1e6), st.floats(0, 1e6), st.lists(st.tuples(st.floats(1e-3, 1e6), st.integers(0, 2**30)), max_size=5)
)
def test_a_cost_is_the_weighted_sum_to_the_nearest_tick(makespan, tardiness, jobs):
    """Against exact fractions: off by half a tick, and by what weights lose that are held in parts of 2^-20."""
    objective = Objective(makespan, tardiness)
    made = [Job(str(i), (), due=0, weight=weight) for i, (weight, _) in enumerate(jobs)]
    ends = {str(i): end for i, (_, end) in enumerate(jobs)}
    exact = Fraction(makespan) * max(ends.values(), default=0)
    exact += sum((Fraction(tardiness) * Fraction(weight) * end for weight, end in jobs), Fraction(0))
    allowed = Fraction(1, 2) + Fraction(2 + sum(ends.values()) + max(ends.values(), default=0), 2**20)
    assert abs(objective.cost(ends, made) - exact) <= allowed + exact / 2**50


@given(st.dictionaries(st.text(max_size=2), st.integers(0, 2**31), max_size=4))
def test_the_makespan_alone_is_the_makespan(ends):
    """The objective of most shops costs what the last job takes, to the tick."""
    assert MAKESPAN.cost(ends) == max(ends.values(), default=0)
