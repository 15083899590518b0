"""Writes a schedule as one self-contained page: the planner's chart, its style and its data, no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from string import Template

from jaxshop.schedule import Schedule
from jaxshop.schedule.closed import closed_by_machine
from jaxshop.shop import LotPlan, Shop, lot_size
from jaxshop.support.files import write_atomic
from jaxshop.views.dispatch_list import changeovers

VIEWER = (
    *("dom", "clock", "plan", "colours", "pen", "plot", "frame", "steering", "chart", "gantt"),
    *("sheets", "table", "printing", "tiles", "viewer"),
)
"""The scripts that the server's page loads too, in an order in which each finds what it needs."""

PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header class="masthead"><h1>$title</h1><span class="quiet">$subtitle</span></header>
<dl class="tiles" id="kpis"></dl>
<div id="viewer"></div>
<script type="application/json" id="data">$data</script>
$scripts
</body>
</html>
""")


def write_gantt(
    path: str | Path,
    plan: LotPlan,
    schedule: Schedule,
    bound_ticks: int | None,
    target_ticks: int | None,
    now_ticks: int = 0,
) -> None:
    """Write `schedule` as a page that needs no other file and no network.

    Args:
        path: where to write; replaced in one step, so that nobody ever reads half a page.
        plan: the lots that the schedule is of.
        schedule: drawn as it is, valid or not.
        bound_ticks: a lower bound of the makespan, drawn as a line, if there is one.
        target_ticks: the makespan hoped for, drawn as a line, if there is one.
        now_ticks: the present, drawn as a line where the plan is under way.
    """
    write_atomic(path, gantt_page(plan, schedule, bound_ticks, target_ticks, now_ticks))


def gantt_page(
    plan: LotPlan, schedule: Schedule, bound_ticks: int | None, target_ticks: int | None, now_ticks: int = 0
) -> str:
    """Return the HTML that `write_gantt` writes."""
    style = _asset("style.css")
    scripts = [_asset(f"{name}.js") for name in (*VIEWER, "report")]
    shop = plan.shop
    return PAGE.substitute(
        # Nothing but what stands in this file may run, and nothing may be fetched or sent.
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {' '.join(map(_hash, scripts))}",
        title=html.escape(shop.name or "schedule"),
        subtitle=html.escape(f"{len(shop.machines)} machines, {len(shop.jobs)} jobs, {lot_size(plan.max_lot_hours)}"),
        style=style,
        data=_embed(_chart_data(plan, schedule, bound_ticks, target_ticks, now_ticks)),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _chart_data(
    plan: LotPlan, schedule: Schedule, bound_ticks: int | None, target_ticks: int | None, now_ticks: int
) -> dict[str, object]:
    """What the chart draws, in ticks: the shop file's keys, and when machines are closed and set up by sequence."""
    shop = plan.shop
    closed = closed_by_machine(shop, min((row.start for row in schedule.rows), default=0), schedule.makespan)
    outline = {
        "name": shop.name,
        "unit": shop.unit,
        "plan_start": shop.plan_start,
        "timezone": timezone(shop),
        "machines": [
            {"id": machine.id, "work_centre": machine.work_centre, "available_from": machine.available_from}
            | ({"closed": closed[machine.id]} if closed[machine.id] else {})
            for machine in shop.machines
        ],
        "jobs": [
            {
                "id": job.id,
                "release": job.release,
                "due": job.due,
                "weight": job.weight,
                "operations": [{"id": op.id, "setup": op.setup} for op in job.operations],
            }
            for job in shop.jobs
        ],
    }
    setups = changeovers(plan, schedule)
    rows = [row._asdict() | ({"changeover": setups[row]} if setups.get(row) else {}) for row in schedule.rows]
    return {"shop": outline, "rows": rows, "bound": bound_ticks, "target": target_ticks, "now": now_ticks}


def timezone(shop: Shop) -> str | None:
    """The zone of the calendar that most machines have; None: no machine has one."""
    zones = {calendar.id: calendar.timezone for calendar in shop.calendars}
    used = Counter(zones[machine.calendar] for machine in shop.machines if machine.calendar is not None)
    return max(used, key=lambda zone: (used[zone], zone)) if used else None


def _asset(name: str) -> str:
    return files("jaxshop.views").joinpath("static", name).read_text(encoding="utf-8")


def _embed(data: object) -> str:
    """JSON for a `<script>` element: with no `<` in it, no string of a shop can end the element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    """The source expression of a content security policy that allows exactly this inline text."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
