"""The objective as a value: the cost of a schedule, and what is refused."""

import pytest

from jaxshop.shop import MAKESPAN, Objective
from jaxshop.support.errors import ShopError


def test_the_makespan_costs_what_the_last_job_takes():
    """Shows the cost of the only objective so far: the end of the last job, 0 without jobs."""
    assert MAKESPAN.cost({"A": 7, "B": 12}) == 12
    assert MAKESPAN.cost({}) == 0
    assert MAKESPAN.lower_bound(9) == 9
    assert Objective() == MAKESPAN


@pytest.mark.parametrize("weights", [{"tardiness": 1.0}, {"makespan": 0.0}, {"makespan": 2.0}])
def test_other_objectives_are_refused(weights):
    """Shows that a weight that nothing would heed is refused in one line."""
    with pytest.raises(ShopError, match="not supported yet"):
        Objective(**weights)
