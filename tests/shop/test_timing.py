"""The host's timing: one rule for one pair and for many."""

import numpy as np
import pytest

from jaxshop.shop.timing import placed, placed_everywhere


@pytest.mark.parametrize(("ready", "free", "ticks", "span"), [(3, 5, 2, (5, 7)), (5, 3, 2, (5, 7)), (4, 4, 0, (4, 4))])
def test_an_operation_waits_for_its_lot_and_its_machine(ready, free, ticks, span):
    """Shows start and end by hand, and that arrays are timed alike."""
    assert placed(ready, free, ticks) == span
    start, end = placed_everywhere(np.array([ready, 0]), np.array([free, 0]), np.array([ticks, 1]))
    assert (start.tolist(), end.tolist()) == ([span[0], 0], [span[1], 1])
