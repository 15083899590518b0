"""What is there before a search's time begins."""

from __future__ import annotations

import sys

from jaxshop.search import warming
from jaxshop.shop import split_lots
from tests.shops import from_routes


def test_what_a_bound_imports_is_there_before_the_time_begins(monkeypatch):
    """Shows that the solver is there where times differ by machine, whose bound asks it, and nowhere else."""
    monkeypatch.setattr(warming, "SOLVER", "colorsys")
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    for times, imported in (({0: 3, 1: 3}, False), ({0: 3, 1: 4}, True)):
        warming.import_solver(split_lots(from_routes([[{0: 2}, times]], 2), None))
        assert ("colorsys" in sys.modules) == imported
