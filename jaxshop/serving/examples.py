"""Examples of replies, for the OpenAPI document: all of one small shop."""

from __future__ import annotations

from typing import Any

from jaxshop.schedule import from_json, kpis
from jaxshop.serving.job import UNKNOWN
from jaxshop.serving.shop_schemas import SHOP_EXAMPLE
from jaxshop.shop import fingerprint, parse_shop, split_lots

_SHOP = parse_shop(SHOP_EXAMPLE, "the example")
_ROWS = (
    ("A", "A/1", "SW01", 0, 5400),
    ("A", "A/2", "PP10", 5400, 16_200),
    ("B", "B/1", "PP09", 0, 15_300),
)

SCHEDULE: dict[str, Any] = {
    **{"format": "jaxshop-schedule/1", "shop": fingerprint(_SHOP), "max_lot_hours": None, "makespan": 4.5},
    "operations": [
        {"job": job, "lot": 0, "operation": operation, "machine": machine, "start": start, "end": end}
        for job, operation, machine, start, end in _ROWS
    ],
}
"""A valid schedule of the example shop."""

_VIOLATION = {
    "code": "overlap",
    "text": "Job 'B', lot 1, operation 'B/1' starts on machine 'PP10' at 0 (0.00 h), before ...",
    **{"job": "B", "lot": 0, "operation": "B/1", "machine": "PP10", "start": 0, "end": 15_300},
}
_PROGRESS = {
    **{"id": "5f0c7a5be1f24f0f9c7d8d1f0a6b2c11", "kind": "schedule", "status": "running", "stopped": False},
    **UNKNOWN,
    **{"samples": None, "samples_done": 0, "makespan_hours": 4.5, "objective_hours": 4.5, "lower_bound_hours": 4.25},
    **{"gap_percent": 5.88, "source": "rule:MWKR", "seconds": 0.01, "limit_s": 2.0},
}
_ENTRY = _PROGRESS | {"submitted_at": "2026-11-23T06:00:00.000+00:00", "ended_at": None}
_REPLY = {
    "schedule": SCHEDULE,
    "provenance": {"kind": "file", "detail": "", "taken_at": None, "signature": None},
    "kpis": kpis(split_lots(_SHOP, None), from_json(SCHEDULE, "the example"), 15_300),
    "source": "search:improve",
    "verification": {"valid": True, "violations": [], "rejected_attempts": []},
    "model": {"name": "shipped", "fingerprint": "9d3f" * 16, "trained_on": []},
    **{"seed": 0, "samples_done": 0, "proven_optimal": False, "work_done": 120},
    "trace": [[0.01, 4.5, "rule:MWKR"]],
}
_STORED = {"schedule_id": "4b1d" * 16, "status": "draft", "written": True, "lower_bound": 15_300, "error": None}
_PLAN = {
    **{"schedule_id": "4b1d" * 16, "shop_fingerprint": SCHEDULE["shop"], "checkpoint_id": "search:improve"},
    **{"max_lot_hours": None, "plan_start": "2026-11-23T06:00:00Z", "makespan_h": 4.5},
    **{"created_at": "2026-11-23T05:40:00Z", "objective_h": 4.5, "lower_bound_h": 4.25, "gap_percent": 5.88},
    **{"late_jobs": 0, "options": {"write_back": True}, "author": "planner", "based_on": None, "status": "released"},
    **{"released_at": "2026-11-23T05:50:00Z", "released_by": "chief"},
}

EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "/v1/schedules": {
        "post": {"200": _REPLY, "202": _ENTRY | {"error": None, "result": None}},
        "get": {"200": {"schedules": [_ENTRY], "next": None}},
    },
    "/v1/schedules:verify": {
        "post": {
            "200": {
                "valid": False,
                "violations": [_VIOLATION],
                "violation_count": 1,
                "makespan_hours": 4.5,
                "fingerprint": SCHEDULE["shop"],
            }
        }
    },
    "/v1/reschedules": {"post": {"202": _ENTRY | {"kind": "reschedule", "error": None, "result": None}}},
    "/v1/plans": {"get": {"200": {"plans": [_PLAN]}}},
    "/v1/schedules/{id}:write-back": {"post": {"200": _STORED}},
    "/v1/schedules/{id}": {"get": {"200": _ENTRY | {"status": "done", "error": None, "result": _REPLY}}},
    "/v1/schedules/{id}/best": {"get": {"200": _PROGRESS | {"schedule": SCHEDULE}}},
    "/v1/schedules/{id}:release": {
        "post": {"200": {"schedule_id": "4b1d" * 16, "superseded": None, "status": "released"}}
    },
}
"""By path, method and status."""
