"""What the commands print for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from jaxshop.bounds import Certificate
from jaxshop.shop import LotPlan, job_ticks, lot_size, operation_count, span


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


def comparison_table(report: Mapping[str, Any]) -> Table:
    """The end of a training run: every rule, the baselines, the policy, the target and the bound."""
    bound, target = report["lower_bound_hours"], report["target_hours"]
    policy = report["policy"]
    rows = sorted(report["rules"].items(), key=lambda row: -row[1])
    began = "untrained" if report["initialised_from"] is None else "as it began"
    rows += [
        (f"policy, {began}, greedy", policy["initial_hours"]),
        ("linear priority, cross-entropy", report["baselines"]["linear_cem"]),
        ("policy, greedy", policy["greedy_hours"]),
        (f"policy, best of {policy['samples']}", policy["best_of_hours"]),
    ]
    table = Table(title=f"{report['shop']['name']}: makespan")
    for column, justify in (
        ("method", "left"),
        ("hours", "right"),
        ("over the bound", "right"),
        ("target", "left"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for name, hours in rows:
        met = "" if target is None else ("met" if hours <= target else "missed")
        table.add_row(
            name,
            f"{hours:.2f}",
            f"{100 * (hours / bound - 1):.2f} %",
            met,
            style="bold" if name.startswith("policy, ") and began not in name else None,
        )
    if target is not None:
        table.add_row("target", f"{target:.2f}", f"{100 * (target / bound - 1):.2f} %", "")
    table.add_row("certified lower bound", f"{bound:.2f}", "0.00 %", "")
    return table


def evaluation_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """`jaxshop evaluate`: a row for each shop and method."""
    table = Table(title="makespans")
    for column, justify in (
        ("shop", "left"),
        ("method", "left"),
        ("makespan", "right"),
        ("over bound", "right"),
        ("over best known", "right"),
        ("seconds", "right"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        shown = "h" if row["unit"] == "hours" else "ticks"
        for i, (name, result) in enumerate(row["results"].items()):
            spread = ""
            if "makespan_min" in result:
                spread = f" ({result['makespan_min']:,.2f} to {result['makespan_max']:,.2f})"
            table.add_row(
                row["shop"] if i == 0 else "",
                name,
                f"{result['makespan']:,.2f}{spread} {shown}",
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
