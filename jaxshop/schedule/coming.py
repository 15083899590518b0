"""Orders that come in a shop file of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jaxshop.shop import MAKESPAN, MAX_HOURS, TICKS_PER_HOUR, Job, Shop
from jaxshop.shop.calendars import start_of_plan
from jaxshop.support.errors import ShopError


def jobs_that_come(shop: Shop, other: Shop, where: str) -> tuple[Job, ...]:
    """The jobs of another shop's file, on this shop's machines, their times from this shop's plan start on.

    Only jobs come: what the file says of machines, calendars, set-ups and the objective has to be nothing, or what this
    shop says.

    Raises:
        ShopError: the file says something else.
    """
    if faults := [f"{where}: {fault}" for fault in _faults(shop, other)]:
        raise ShopError(faults)
    shift = _shift(shop, other)
    return tuple(
        replace(
            job,
            release=max(0, job.release + shift) if job.release or shift > 0 else 0,
            due=None if job.due is None else job.due + shift,
        )
        for job in other.jobs
    )


def _shift(shop: Shop, other: Shop) -> int:
    """By how much the other's times count from later."""
    if shop.plan_start is None or other.plan_start is None:
        return 0
    return start_of_plan(other.plan_start) - start_of_plan(shop.plan_start)


def _faults(shop: Shop, other: Shop) -> Iterator[str]:
    if shop.unit != other.unit:
        yield f"is in {other.unit}, not in {shop.unit}"
    if abs(_shift(shop, other)) > MAX_HOURS * TICKS_PER_HOUR:
        yield f"plan_start: must be within {MAX_HOURS} hours (10 years) of {shop.name}'s, {shop.plan_start}"
    known = {machine.id: machine for machine in shop.machines}
    for i, machine in enumerate(other.machines):
        own = known.get(machine.id)
        if own is None:
            yield f"machines[{i}].id: unknown machine {machine.id!r}"
            continue
        for key in ("work_centre", "available_from", "calendar", "unavailable", "family"):
            said = getattr(machine, key)
            if said and said != getattr(own, key):
                yield f"machines[{i}].{key}: is otherwise in {shop.name}; leave it out, as only jobs come"
    for key, name in (("calendars", "calendars"), ("changeovers", "setups")):
        if getattr(other, key) and getattr(other, key) != getattr(shop, key):
            yield f"{name}: are otherwise in {shop.name}; leave them out, as only jobs come"
    if other.objective not in (MAKESPAN, shop.objective):
        yield f"objective: is otherwise in {shop.name}; leave it out, as only jobs come"
