"""The fingerprint of a shop: what it is, whatever it is called."""

from __future__ import annotations

import hashlib
import json

from jaxshop.shop.records import Shop


def fingerprint(shop: Shop) -> str:
    """Return the sha256 (hex) of what the shop is, whatever the order in which it was written down.

    Everything that a schedule or its key figures depend on counts, in ticks: machines with work centre and
    availability; jobs with quantity, release, due and weight; operations in route order with set-up and
    alternatives. Name, plan start, provenance and unit do not.
    """
    machines = sorted((machine.id, machine.work_centre, machine.available_from) for machine in shop.machines)
    jobs = [
        (
            *(job.id, job.quantity, job.release, job.due, float(job.weight)),
            [(op.id, op.setup, sorted(op.alternatives.items())) for op in job.operations],
        )
        for job in sorted(shop.jobs, key=lambda job: job.id)
    ]
    return hashlib.sha256(json.dumps([machines, jobs], separators=(",", ":")).encode()).hexdigest()
