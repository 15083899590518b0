"""The page of published comparisons: what stands beside what, and that it is what its files say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from jaxshop.views.evaluation import Line, read_csv

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def published() -> ModuleType:
    """benchmarks/published.py."""
    spec = importlib.util.spec_from_file_location("published", ROOT / "benchmarks" / "published.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def result(name: str, method: str, makespan: float, jobs: int = 15, machines: int = 15) -> Line:
    """One whose best known makespan is 100."""
    size = (jobs, machines, jobs * machines)
    settings = "samples=128 policy=0123456789ab"
    spans = (makespan, makespan, makespan, "makespan", makespan, makespan)
    return Line(f"jobshop/{name}.txt", "f", settings, method, name, "ta", *size, "ticks", 90.0, 100.0, *spans, 1, 1.0)


def taillard(method: str, makespan: float) -> list[Line]:
    """All 80, each group by 1 % worse than the one before."""
    sizes = ((15, 15), (20, 15), (20, 20), (30, 15), (30, 20), (50, 15), (50, 20), (100, 20))
    return [result(f"ta{k + 1:02d}", method, makespan + k // 10, *sizes[k // 10]) for k in range(80)]


def test_the_page_is_what_its_files_say(published: ModuleType):
    """Shows that whoever changes a figure writes the page anew: benchmarks/published.py."""
    lines = read_csv(str(published.RESULTS))
    assert published.PAGE.read_text(encoding="utf-8") == published.page(lines, published.read_published())


def test_every_published_figure_has_a_place_and_a_source(published: ModuleType):
    """Groups are known, each method says where its figures come from, and the nine are all there."""
    rows = published.read_published()
    for row in rows:
        assert set(row.gaps) <= set(published.GROUPS[row.set])
        assert row.source, row.method
        assert (row.samples == 1) == (row.mode == "greedy")
    told = {row.method.split()[0] for row in rows}
    assert told == {"L2D", "ScheduleNet", "RS", "SLIM", "BOPO", "TaSaR", "HGNN", "DANIEL", "ReSched"}


def test_printed_means_are_those_of_the_groups(published: ModuleType):
    """Within rounding: a figure that was copied into another column would show."""
    for row in published.read_published():
        groups = [gap for group, gap in row.gaps.items() if group != "mean"]
        if len(groups) == 8:
            assert sum(groups) / 8 == pytest.approx(row.gaps["mean"], abs=0.11), row.method


def test_ours_stand_beside_as_many_samples_and_say_where_they_are_behind(published: ModuleType):
    """Greedy beside greedy, 128 beside 128; the mean is that of the groups."""
    lines = [*taillard("policy:greedy", 113.0), *taillard("policy:best-of-128", 105.0), *taillard("auto", 101.0)]
    greedy, drawn = published.own_rows(lines)
    assert (greedy.mode, greedy.samples, drawn.mode, drawn.samples) == ("greedy", 1, "samples", 128)
    assert greedy.gaps["15 x 15"] == pytest.approx(13)
    assert greedy.gaps["mean"] == pytest.approx(16.5)
    text = published.page(lines, published.read_published())
    of_greedy, of_samples = text.split("### Best of 128 samples")
    assert "- mean: **behind** RS (2022) by 4.0 points" in of_greedy
    assert "- 15 x 15: ahead of SLIM (2024) by 0.8 points" in of_greedy
    assert "- mean: **behind** SLIM (2024) by 0.1 points" in of_samples
    assert "`0123456789ab`" in text


def test_a_group_that_is_not_complete_is_left_out(published: ModuleType):
    """Nine of ten instances are no mean, and seven groups none of Taillard."""
    lines = [line for line in taillard("policy:greedy", 113.0) if line.name != "ta10"]
    (row,) = published.own_rows(lines)
    assert "15 x 15" not in row.gaps
    assert "mean" not in row.gaps
    assert "20 x 15" in row.gaps
    assert published.own_rows([result("ft06", "policy:greedy", 113.0)]) == []
