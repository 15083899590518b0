"""Floors under the quality of what is found and proven, on small public instances whose optimum is known.

The numbers of the instances are their authors': Fisher and Thompson 1963 (ft06, ft10), Lawrence 1984 (la01),
Brandimarte 1993 (mk01). A search of so much work is the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxshop.bounds import certify
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search.solver import solve
from jaxshop.search.types import Options
from jaxshop.shop import LotPlan, split_lots
from jaxshop.sources import load_shop
from tests.shops import FT06

LA01 = """10 5
1 21 0 53 4 95 3 55 2 34
0 21 3 52 4 16 2 26 1 71
3 39 4 98 1 42 2 31 0 12
1 77 0 55 4 79 2 66 3 77
0 83 3 34 2 64 1 19 4 37
1 54 2 43 4 79 0 92 3 62
3 69 4 77 1 87 2 87 0 93
2 38 0 60 1 41 3 24 4 83
3 17 1 49 4 25 0 44 2 98
4 77 3 79 2 43 1 75 0 96"""

FT10 = """10 10
0 29 1 78 2 9 3 36 4 49 5 11 6 62 7 56 8 44 9 21
0 43 2 90 4 75 9 11 3 69 1 28 6 46 5 46 7 72 8 30
1 91 0 85 3 39 2 74 8 90 5 10 7 12 6 89 9 45 4 33
1 81 2 95 0 71 4 99 6 9 8 52 7 85 3 98 9 22 5 43
2 14 0 6 1 22 5 61 3 26 4 69 8 21 7 49 9 72 6 53
2 84 1 2 5 52 3 95 8 48 9 72 0 47 6 65 4 6 7 25
1 46 0 37 3 61 2 13 6 32 5 21 9 32 8 89 7 30 4 55
2 31 0 86 1 46 5 74 4 32 6 88 8 19 9 48 7 36 3 79
0 76 1 69 3 76 5 51 2 85 9 11 6 40 7 89 4 26 8 74
1 85 0 13 2 61 6 7 8 64 9 76 5 47 3 52 4 90 7 45"""

MK01 = """10 6 2
6 2 1 5 3 4 3 5 3 3 5 2 1 2 3 4 6 2 3 6 5 2 6 1 1 1 3 1 3 6 6 3 6 4 3
5 1 2 6 1 3 1 1 1 2 2 2 6 4 6 3 6 5 2 6 1 1
5 1 2 6 2 3 4 6 2 3 6 5 2 6 1 1 3 3 4 2 6 6 6 2 1 1 5 5
5 3 6 5 2 6 1 1 1 2 6 1 3 1 3 5 3 3 5 2 1 2 3 4 6 2
6 3 5 3 3 5 2 1 3 6 5 2 6 1 1 1 2 6 2 1 5 3 4 2 2 6 4 6 3 3 4 2 6 6 6
6 2 3 4 6 2 1 1 2 3 3 4 2 6 6 6 1 2 6 3 6 5 2 6 1 1 2 1 3 4 2
5 1 6 1 2 1 3 4 2 3 3 4 2 6 6 6 3 2 6 5 1 1 6 1 3 1
5 2 3 4 6 2 3 3 4 2 6 6 6 3 6 5 2 6 1 1 1 2 6 2 2 6 4 6
6 1 6 1 2 1 1 5 5 3 6 6 3 6 4 3 1 1 2 3 3 4 2 6 6 6 2 2 6 4 6
6 2 3 4 6 2 3 3 4 2 6 6 6 3 5 3 3 5 2 1 1 6 1 2 2 6 4 6 2 1 3 4 2"""

INSTANCES = {"ft06.txt": "6 6" + FT06, "la01.txt": LA01, "ft10.txt": FT10, "mk01.fjs": MK01}


def plan_of(name: str, folder: Path) -> LotPlan:
    """An instance, read from a file as a user's."""
    (folder / name).write_text(INSTANCES[name])
    return split_lots(load_shop(str(folder / name)), None)


@pytest.mark.parametrize(
    ("name", "work", "most"),
    [
        ("ft06.txt", 20, 55),
        ("la01.txt", 20, 666),
        ("mk01.fjs", 20, 40),
        pytest.param("ft10.txt", 414, 945, marks=pytest.mark.thorough),
    ],
)
def test_search_reaches_the_optimum(name: str, work: int, most: int, tmp_path: Path):
    """Shows 55, 666 and 40 within twenty pieces of work, and at most 945 for 930 within 414, which take 2 s."""
    solution = solve(plan_of(name, tmp_path), None, method="improve", work=work, options=Options(threads=1))
    assert solution.makespan <= most


@pytest.mark.parametrize(("name", "most"), [("ft06.txt", 61), ("la01.txt", 735), ("mk01.fjs", 45), ("ft10.txt", 1108)])
def test_the_best_rule_is_as_good_as_it_was(name: str, most: int, tmp_path: Path):
    """Shows MWKR's 61, 735 and 1,108, and FIFO's 45 among active schedules of the flexible shop."""
    assert best_rule(plan_of(name, tmp_path))[1].makespan <= most


@pytest.mark.parametrize(("name", "least"), [("ft06.txt", 52), ("la01.txt", 666), ("mk01.fjs", 39), ("ft10.txt", 808)])
def test_bounds_are_as_high_as_they_were(name: str, least: int, tmp_path: Path):
    """Shows the certificate that is there at once; that of la01 is its optimum."""
    assert certify(plan_of(name, tmp_path)).value >= least
