"""`jaxshop evaluate`: what it reads and writes, and what it leaves out; searches are stood in for by a rule."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxshop.bounds import certify
from jaxshop.cli.evaluate import expand
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search import compare, cpsat
from jaxshop.search.compiled import NUMBERS
from jaxshop.search.solver import Solution
from jaxshop.search.types import Task
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, Objective, shop_to_json, split_lots
from jaxshop.sources import load_shop
from jaxshop.views.evaluation import Line, means, read_csv, row_of, to_csv, to_markdown, with_best_bound
from tests.cli.refusals import assert_refused
from tests.plant import plant_plan
from tests.shops import FT06, small_shop, with_due_dates
from tests.trained import Result, run


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    """A folder: a benchmark text twice, one of them deeper, and what is no shop."""
    folder = tmp_path / "shops"
    (folder / "more").mkdir(parents=True)
    (folder / "ft06.txt").write_text("6 6" + FT06)
    (folder / "more" / "ft07.txt").write_text("6 6" + FT06)
    (folder / "README.md").write_text("no shop")
    return folder


@pytest.fixture
def searched(monkeypatch) -> list[tuple[str, str, int]]:
    """Stands in for `solve`: seed 0 plays MWKR, other seeds one rule each; lists (shop, method, seed) of each call."""
    calls: list[tuple[str, str, int]] = []

    def solve(plan: LotPlan, policy: object, *, seed: int, method: str, **_: object) -> Solution:
        calls.append((plan.shop.name, method, seed))
        rule = ("MWKR", "SPT", "LPT")[seed]
        schedule = dispatch_by_rule(plan, RULES[rule], active=False)
        return Solution(schedule, rule, certify(plan), 0, 0.5)

    monkeypatch.setattr(compare, "solve", solve)
    monkeypatch.setattr(compare, "_compile", lambda *_: None)
    return calls


def refused(result: Result, *said: str) -> None:
    """Exit code 2, one line on stderr that says all of `said`."""
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    for words in said:
        assert words in result.err


def test_folders_and_patterns_stand_for_the_shops_in_them(shops: Path):
    """Sorted, below the folder too, each once however often it is named; names of shops pass as they are."""
    files = [str(shops / "ft06.txt"), str(shops / "more" / "ft07.txt")]
    assert expand([str(shops)]) == files
    assert expand([str(shops / "**" / "ft*.txt"), str(shops)])[0] == files[0]
    assert expand([str(shops / "ft*"), "reference", str(shops)]) == [files[0], "reference", files[1]]
    assert expand(["family:flow:0", "mariadb:"]) == ["family:flow:0", "mariadb:"]


def test_what_holds_no_shop_is_refused(shops: Path, searched, tmp_path: Path):
    """An empty folder, a pattern that matches nothing, and a file that is none, before any search."""
    (tmp_path / "empty").mkdir()
    for wrong, said in ((tmp_path / "empty", "holds no shop"), (shops / "x*.txt", "no file"), (shops / "x", "ending")):
        refused(run("evaluate", shops, wrong, "--method", "rules"), str(wrong), said)
    assert searched == []


@pytest.mark.parametrize("option", ["--csv", "--markdown"])
def test_a_place_that_cannot_be_written_is_found_before_the_search(shops: Path, searched, tmp_path: Path, option: str):
    """Nothing is searched for an output that has no place."""
    refused(run("evaluate", shops, "--method", "rules", option, tmp_path / "no" / "o"), "the folder", "does not exist")
    assert searched == []


def test_resume_needs_a_table_of_ours(shops: Path, searched, tmp_path: Path):
    """Without --csv there is nothing to go on with; a foreign or cut-off table is named."""
    table = tmp_path / "t.csv"
    refused(run("evaluate", shops, "--method", "rules", "--resume"), "--resume", "--csv")
    table.write_text("a,b\n1,2\n")
    refused(run("evaluate", shops, "--method", "rules", "--resume", "--csv", table), str(table), "columns")
    assert run("evaluate", shops, "--method", "rules", "--csv", table).code == 0
    table.write_text(table.read_text()[:-60])
    refused(run("evaluate", shops, "--method", "rules", "--resume", "--csv", table), str(table), "line 3")


@pytest.mark.parametrize("option", ["--resume --csv", "--best-known"])
def test_a_cell_that_no_table_has_is_refused(shops: Path, searched, tmp_path: Path, option: str):
    """A cell longer than Python's reader takes is one line with its place, in the header and below it."""
    table = tmp_path / "t.csv"
    for text, line in (("a," + "b" * 200_000, 1), ("instance,upper_bound\nft06," + "1" * 200_000, 2)):
        table.write_text(text)
        given = ("--method", "rules", *option.split(), table)
        refused(run("evaluate", shops, *given), f"{table}: line {line}: not valid CSV")


@pytest.mark.parametrize("name", ["tune"])
def test_endless_methods_need_a_limit(shops: Path, searched, name: str):
    """A method that never ends by itself is refused without --time-limit."""
    refused(run("evaluate", shops, "--method", name), f"--method {name}", "--time-limit")


def test_resume_does_only_what_is_missing(shops: Path, searched, tmp_path: Path):
    """The same rows without a search; a further method, other settings and a shop that changed are searched."""
    table = tmp_path / "t.csv"
    given = ["evaluate", shops, "--csv", table, "--resume", "--json", "--time-limit", 1]
    first = run(*given, "--method", "rules")
    assert [call[1] for call in searched] == ["rules"] * 2
    again = run(*given, "--method", "rules")
    assert (len(searched), again.json) == (2, first.json)
    more = run(*given, "--method", "rules", "--method", "auto")
    assert [call[1] for call in searched[2:]] == ["auto"] * 2
    assert [list(row["results"]) for row in more.json] == [["rules", "auto"]] * 2
    run(*given[:-1], 2, "--method", "rules")
    assert len(searched) == 6
    (shops / "ft06.txt").write_text("6 6" + FT06.replace("2 1 0 3", "2 2 0 3"))
    run(*given, "--method", "rules")
    assert [call[0] for call in searched[6:]] == ["ft06"]
    lines = list(csv.DictReader(table.read_text().splitlines()))
    assert len(lines) == 7
    assert {line["settings"] for line in lines} == {f"time_limit={s} seed=0 seeds=1 samples=0" for s in (1.0, 2.0)}


def test_each_result_is_kept_at_once(shops: Path, searched, tmp_path: Path, monkeypatch):
    """An interrupt in the second search leaves the first result in the table; --best-known may come later."""
    table, calls, solve = tmp_path / "t.csv", [], compare.solve

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return solve(*args, **kwargs)

    monkeypatch.setattr(compare, "solve", interrupted)
    assert run("evaluate", shops, "--method", "rules", "--csv", table).code == 130
    assert [line.name for line in read_csv(str(table))] == ["ft06"]
    (tmp_path / "known.csv").write_text("instance,upper_bound,family\nft06,55,fisher\n")
    given = ["--csv", table, "--resume", "--best-known", tmp_path / "known.csv", "--json"]
    rows = run("evaluate", shops, "--method", "rules", *given).json
    assert [(row["best_known"], row["family"]) for row in rows] == [(55, "fisher"), (None, "ft")]
    assert len(calls) == 3


def test_seeds_give_median_and_spread(shops: Path, searched):
    """Three seeds: each is searched, from --seed on; the gap is the median's."""
    plan = split_lots(load_shop(str(shops / "ft06.txt")), None)
    spans = sorted(dispatch_by_rule(plan, RULES[rule], False).makespan for rule in ("MWKR", "SPT", "LPT"))
    (row,) = run("evaluate", shops / "ft06.txt", "--method", "rules", "--seeds", 3, "--json").json
    result = row["results"]["rules"]
    assert [result[name] for name in ("makespan_min", "makespan", "makespan_max")] == spans
    assert result["seeds"] == 3
    assert result["gap_to_bound_percent"] == pytest.approx(100 * (spans[1] / row["lower_bound"] - 1))
    assert [call[2] for call in searched] == [0, 1, 2]


def test_methods_alone_load_no_policy(shops: Path, searched, monkeypatch):
    """The policy stands among the results without --method, or with --samples or --checkpoint."""
    loaded: list[object] = []

    def load_policy(folder: str | None = None) -> SimpleNamespace:
        loaded.append(folder)
        return SimpleNamespace(id="0" * 64)

    monkeypatch.setattr("jaxshop.policies.checkpoint.load_policy", load_policy)
    shop = shops / "ft06.txt"
    (row,) = run("evaluate", shop, "--method", "rules", "--json").json
    assert (list(row["results"]), loaded) == (["rules"], [])
    (row,) = run("evaluate", shop, "--method", "rules", "--samples", 4, "--json").json
    assert list(row["results"]) == ["policy:greedy", "policy:best-of-4", "rules"]
    assert loaded == [None]
    (row,) = run("evaluate", shop, "--json").json
    assert list(row["results"]) == ["policy:greedy"]
    run("evaluate", shop, "--method", "rules", "--checkpoint", "somewhere")
    assert loaded == [None, None, "somewhere"]


def test_results_of_other_weights_do_not_count(shops: Path, searched, tmp_path: Path, monkeypatch):
    """A policy that was replaced where it lies is evaluated anew; what needs none of it stays as it was."""
    policy = SimpleNamespace(id="a" * 64)
    monkeypatch.setattr("jaxshop.policies.checkpoint.load_policy", lambda folder=None: policy)
    given = ["evaluate", shops / "ft06.txt", "--csv", tmp_path / "t.csv", "--resume", "--json"]
    for method in ([], ["--method", "rules"], []):
        assert run(*given, *method).code == 0
    assert [call[1] for call in searched] == ["greedy", "rules"]
    policy.id = "b" * 64
    for method in ([], ["--method", "rules"]):
        assert run(*given, *method).code == 0
    assert [call[1] for call in searched] == ["greedy", "rules", "greedy"]
    settings = [line.settings for line in read_csv(str(tmp_path / "t.csv"))]
    assert ["policy=" + "a" * 12 in each for each in settings] == [True, False, False]


def test_patience_is_for_samples(shops: Path, searched):
    """Refused by name where nothing samples."""
    refused(run("evaluate", shops, "--method", "rules", "--patience", 8), "--patience", "--samples")


def test_evaluating_a_method_imports_no_jax():
    """What starts at once: the command, its shops and its tables, for a method that runs no program of JAX."""
    script = """
import sys
from jaxshop.cli.main import main
from jaxshop.bounds import certify
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search import compare
from jaxshop.search.solver import Solution
def solve(plan, policy, **_):
    name, schedule = best_rule(plan)
    return Solution(schedule, name, certify(plan), 0, 0.0)
compare.solve = solve
assert main(["evaluate", "family:jobshop:0", "--method", "improve", "--time-limit", "1"]) == 0
assert not {"jax", "flax", "orbax"} & set(sys.modules), "JAX was imported"
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_means_and_markdown(shops: Path, searched, tmp_path: Path):
    """A row for each shop and a mean of the family; the console has both as well."""
    page = tmp_path / "r.md"
    shown = run("evaluate", shops, "--method", "rules", "--markdown", page)
    assert shown.code == 0
    assert "means" in shown.out
    text = page.read_text()
    assert re.search(r"^\| ft06 \| 36 \| \d+ \|  \| \d+ \(\d+\.\d\d %\) \|$", text, re.MULTILINE), text
    assert re.search(r"^\| ft \| all \| 2 \| \d+\.\d\d %, 0 optimal \|$", text, re.MULTILINE), text


def test_due_dates_that_count_are_compared_by_their_cost(shops: Path, searched):
    """Shows that objective, cost, bound and gap are those of the shop's objective, and the table's title says so."""
    shop = replace(with_due_dates(small_shop(), 1), objective=Objective(0.0, 1.0))
    path = shops / "due.json"
    path.write_text(json.dumps(shop_to_json(shop)))
    (row,) = json.loads(run("evaluate", path, "--method", "rules", "--json").out)
    plan = split_lots(shop, None)
    task, schedule = Task.of(plan), dispatch_by_rule(plan, RULES["MWKR"], active=False)
    result, hour = row["results"]["rules"], TICKS_PER_HOUR if row["unit"] == "hours" else 1
    assert row["objective"] == "weighted tardiness"
    assert row["lower_bound"] * hour == pytest.approx(task.certificate.cost(task.objective))
    assert result["makespan"] * hour == pytest.approx(schedule.makespan)
    assert result["cost"] * hour == pytest.approx(task.cost(schedule))
    assert result["cost"] != result["makespan"]
    assert "costs" in run("evaluate", path, "--method", "rules").out


texts = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=8)
hours = st.floats(0, 1e6)
LINES = st.builds(
    Line,
    **dict.fromkeys(("shop", "fingerprint", "settings", "method", "name", "family", "unit", "objective"), texts),
    **dict.fromkeys(("jobs", "machines", "operations", "seeds"), st.integers(1, 10**6)),
    **dict.fromkeys(("lower_bound", "makespan", "makespan_min", "makespan_max", "cost", "cost_max", "seconds"), hours),
    best_known=st.none() | hours,
)


@given(lines=st.lists(LINES, max_size=4))
def test_the_table_reads_back_as_it_was(tmp_path_factory, lines: list[Line]):
    """Whatever stands in it, commas, quotes and every digit included."""
    path = tmp_path_factory.getbasetemp() / "lines.csv"
    path.write_text(to_csv(lines), encoding="utf-8")
    assert read_csv(str(path)) == lines


LINE = Line(
    "a",
    "f",
    "",
    "m",
    "a",
    "ta",
    15,
    15,
    225,
    "ticks",
    100.0,
    110.0,
    121.0,
    121.0,
    121.0,
    "makespan",
    121.0,
    121.0,
    1,
    2.0,
)


def test_the_best_bound_of_a_shop_counts_for_all_its_results():
    """A method that raises the bound proves another one's schedule optimal."""
    row = row_of(with_best_bound([LINE, replace(LINE, method="n", lower_bound=121.0)]))
    assert row["lower_bound"] == 121
    assert row["results"]["m"]["proven_optimal"]
    assert row["results"]["m"]["gap_to_bound_percent"] == 0
    assert row["results"]["m"]["gap_to_best_known_percent"] == pytest.approx(10)


def test_means_are_by_family_and_by_size():
    """Two sizes of one family, one of them twice: a mean of that size and of all; a single shop has none."""
    rows = [row_of([replace(LINE, jobs=jobs, cost=span)]) for jobs, span in ((15, 121.0), (15, 110.0), (20, 132.0))]
    rows.append(row_of([replace(LINE, family="mk")]))
    found = {(each["family"], each["size"]): each["results"]["m"] for each in means(rows)}
    assert found.keys() == {("ta", "15 x 15"), ("ta", "all")}
    assert found["ta", "15 x 15"]["gap_to_best_known_percent"] == pytest.approx(5)
    assert found["ta", "all"]["gap_to_best_known_percent"] == pytest.approx(10)
    assert "| ta | all | 3 | 10.00 %, 0 optimal |" in to_markdown(rows, "")


def test_a_missing_solver_is_said_before_a_shop_is_read(monkeypatch):
    """Shows one line with the extra's name, of a shop that is none."""
    monkeypatch.setattr(cpsat, "find_spec", lambda name: None)
    assert_refused(run("evaluate", "no shop", "--method", "cpsat", "--time-limit", 1), "--extra solver")


def test_rules_stand_by_themselves_that_the_host_alone_plays():
    """Of a plant with due dates and set-ups by sequence, each with its cost; the best of all rules is `rules`."""
    plan = plant_plan(3)
    task, scale = Task.of(plan), TICKS_PER_HOUR
    comparison = compare.Comparison(lambda: pytest.fail("no policy is needed"), rules=True, methods=("rules",))
    known = {f"{rule}{kind}" for rule in NUMBERS for kind in ("", "/active")}
    found = {line.method: line.cost for line in compare.assess(compare.Instance("plant", plan), comparison, known)}
    assert list(found) == ["CR", "CR/active", "ATC", "ATC/active", "SST", "SST/active", "rules"]
    for name in list(found)[:-1]:
        rule, _, active = name.partition("/")
        assert found[name] == task.cost(dispatch_by_rule(plan, RULES[rule], bool(active))) / scale
    assert found["rules"] <= min(found.values())
