"""What the commands print for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from jaxshop.bounds import Certificate
from jaxshop.shop import MAKESPAN, TICKS_PER_HOUR, LotPlan, gap_percent, job_ticks, lot_size, operation_count, span

if TYPE_CHECKING:
    from rich.console import JustifyMethod

WIDTH = 100
"""Columns that a line of text takes at most."""


def shop_summary(plan: LotPlan, certificate: Certificate) -> Iterator[str]:
    """Size, hours and certified bounds, a line each."""
    shop, unit = plan.shop, plan.shop.unit
    jobs = [job_ticks(job) for job in shop.jobs]
    cut = f"{len(plan.lots)} " * (plan.max_lot_hours is not None) + lot_size(plan.max_lot_hours)
    yield (
        f"{shop.name}: {len(shop.machines)} machines, {len(jobs)} jobs of {span(min(jobs), unit)} "
        f"to {span(max(jobs), unit)}, {span(sum(jobs), unit)} in all; {cut}, {operation_count(plan)} operations "
        f"({shop.provenance.kind}: {shop.provenance.detail})"
    )
    yield (
        f"certified bounds: load {span(certificate.load, unit)}, chain {span(certificate.chain, unit)}, "
        f"assignment {span(certificate.assignment, unit)}, head and tail {span(certificate.head_tail, unit)}; "
        f"the lower bound is {span(certificate.value, unit)}: {certificate.witness}"
    )


def lots_hint(plan: LotPlan, certificate: Certificate) -> Iterator[str]:
    """What to say where a single whole job takes longer than all of the work needs."""
    shop, rest = plan.shop, max(certificate.load, certificate.assignment)
    cut, counts = plan.max_lot_hours is not None or shop.unit == "ticks", shop.objective.makespan > 0
    longest = next((job for job in shop.jobs if job.id == certificate.job), None)
    if (
        cut
        or not counts
        or longest is None
        or longest.quantity == 1
        or any(op.fixed is not None for op in longest.operations)  # it cannot be cut
        or not rest < certificate.chain == certificate.value
    ):
        return
    yield (
        f"hint: job {longest.id} alone takes {span(certificate.chain, shop.unit)}, all work together at least "
        f"{span(rest, shop.unit)}; --max-lot-hours H cuts long jobs into lots that run beside each other"
    )


def wrapped(line: str) -> str:
    """A line of text in lines of at most `WIDTH` columns; what follows the first is indented."""
    return textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def comparison_table(report: Mapping[str, Any], unit: str = "hours") -> Table:
    """The end of a training run: every method from best to worst with the seconds that it took, target and bound."""
    bound, target = report["objective_bound_hours"], report["target_hours"]
    policy, took = report["policy"], report["method_seconds"]
    began = "untrained" if report["initialised_from"] is None else "as it began"
    rows = [(name, hours, took[name]) for name, hours in report["rules"].items()]
    rows += [
        (f"policy, {began}, greedy", policy["initial_hours"], None),
        ("linear priority, cross-entropy", report["baselines"]["linear_cem"], took["linear_cem"]),
        ("policy, greedy", policy["greedy_hours"], took["greedy"]),
        (f"policy, best of {policy['samples']}", policy["best_of_hours"], took["best_of"]),
        (f"plan, {report['plan']['source']}", report["plan"]["hours"], took["plan"]),
    ]
    title = f"{report['shop']['name']}: {report['objective']}; the policy's seconds are with its training"
    table = Table(title=title)
    _columns(table, ("method", "left"), (unit, "right"), ("over the bound", "right"), ("seconds", "right"))
    if target is not None:
        _columns(table, ("target", "left"))

    for name, hours, seconds in sorted(rows, key=lambda row: row[1]):
        met = [] if target is None else ["met" if hours <= target else "missed"]
        shown = "" if seconds is None else f"{seconds:,.2f}"
        style = "bold" if name.startswith(("policy, ", "plan, ")) and began not in name else None
        table.add_row(name, _bare(hours, unit), _percent(gap_percent(hours, bound)), shown, *met, style=style)
    if target is not None:
        table.add_row("target", _bare(target, unit), _percent(gap_percent(target, bound)), "", "")
    table.add_row("certified lower bound", _bare(bound, unit), _percent(gap_percent(bound, bound)), "")
    return table


def sweep_table(report: Mapping[str, Any], unit: str = "hours") -> Table:
    """The end of several runs: each of them, mean and spread, and what they have to be better than."""
    bound, samples = report["objective_bound_hours"], report["samples"]
    table = Table(title=f"{report['shop']['name']}: {report['objective']} in {unit}, and over the bound")
    _columns(table, ("run", "left"), ("greedy", "right"), ("", "right"), (f"best of {samples}", "right"), ("", "right"))
    _columns(table, ("update", "right"))

    def times(*hours: float) -> list[str]:
        return [cell for x in hours for cell in (_bare(x, unit), _percent(gap_percent(x, bound)))]

    for row in report["runs"]:
        style = "bold" if row["name"] == report["best"] else None
        shown = times(row["greedy_hours"], row["best_of_hours"])
        table.add_row(row["name"], *shown, str(row["chosen_update"]), style=style)
    for group in report["groups"]:
        rate = f" at {group['learning_rate']:g}" if len(report["groups"]) > 1 else ""
        table.add_section()
        found = [group[key] for key in ("greedy_hours", "best_of_hours")]
        table.add_row(f"mean of {group['runs']}{rate}", *times(*(each["mean"] for each in found)))
        deviations = [(_bare(each["std"], unit), _percent(gap_percent(bound + each["std"], bound))) for each in found]
        table.add_row("standard deviation", *deviations[0], *deviations[1])
    table.add_section()
    rule = min(report["rules"], key=report["rules"].get)
    table.add_row(f"rule {rule}", *times(report["rules"][rule]))
    table.add_row("linear priority", *times(report["baselines"]["linear_cem"]))
    if report["target_hours"] is not None:
        table.add_row("target", *times(report["target_hours"]))
    table.add_row("lower bound", *times(bound))
    return table


def sweep_lines(report: Mapping[str, Any], unit: str = "hours") -> Iterator[str]:
    """How several runs ended: the best of them, and where the files are."""
    best = next(row for row in report["runs"] if row["name"] == report["best"])
    target, hours = report["target_hours"], span(best["greedy_hours"] * TICKS_PER_HOUR, unit)
    chosen = f"{best['name']} is the best by what checkpoints are chosen by: greedy {hours}"
    if target is None:
        yield f"{chosen}; no target"
    else:
        met = sum(row["target_met"] for row in report["runs"])
        judged = "met" if best["target_met"] else "missed"
        wanted = span(target * TICKS_PER_HOUR, unit)
        yield f"{chosen}; target {wanted} {judged} by it, met by {met} of {len(report['runs'])}"
    yield f"{report['run_dir']}: report.json, and a folder for each run"


def _bare(hours: float, unit: str) -> str:
    """A time without its unit."""
    return span(hours * TICKS_PER_HOUR, unit).removesuffix(" h").removesuffix(" ticks")


def _columns(table: Table, *columns: tuple[str, JustifyMethod]) -> None:
    for column, justify in columns:
        table.add_column(column, justify=justify)


def evaluation_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """`jaxshop evaluate`: a row for each shop and method."""
    another = {row["objective"] for row in rows} - {str(MAKESPAN)}
    table = Table(title="costs" if another else "makespans")
    _columns(table, ("shop", "left"), ("method", "left"), ("cost" if another else "makespan", "right"))
    _columns(table, ("over bound", "right"), ("over best known", "right"), ("seconds", "right"))
    for row in rows:
        shown = "h" if row["unit"] == "hours" else "ticks"
        for i, (name, result) in enumerate(row["results"].items()):
            spread = ""
            if "makespan_min" in result and row["objective"] == str(MAKESPAN):
                spread = f" ({result['makespan_min']:,.2f} to {result['makespan_max']:,.2f})"
            table.add_row(
                row["shop"] if i == 0 else "",
                name,
                f"{result['cost']:,.2f}{spread} {shown}",
                "optimal" if result["proven_optimal"] else _percent(result["gap_to_bound_percent"]),
                _percent(result["gap_to_best_known_percent"]),
                f"{result['seconds']:.2f}",
            )
    return table


def means_table(groups: Sequence[Mapping[str, Any]]) -> Table:
    """`jaxshop evaluate`: mean gaps by family and size."""
    table = Table(title="means")
    for column in ("family", "jobs x machines", "shops", "method"):
        table.add_column(column)
    for column in ("over bound", "over best known", "proven optimal", "seconds"):
        table.add_column(column, justify="right")
    for group in groups:
        head = [group["family"], group["size"], str(group["shops"])]
        for i, (name, result) in enumerate(group["results"].items()):
            table.add_row(
                *(head if i == 0 else [""] * 3),
                name,
                _percent(result["gap_to_bound_percent"]),
                _percent(result["gap_to_best_known_percent"]),
                str(result["proven_optimal"]),
                f"{result['seconds']:.2f}",
            )
    return table


def _percent(gap: float | None) -> str:
    return "" if gap is None else f"{gap:.2f} %"
