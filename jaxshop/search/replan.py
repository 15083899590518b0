"""Planning anew: the rest of a plan under way by repair, by rules and by search, and what changes least among them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxshop.bounds import Certificate
from jaxshop.schedule import Schedule, tardiness, verify
from jaxshop.schedule.changes import Change, changes_of, changes_to_json, disturbance, why_late
from jaxshop.schedule.dispatch import best_rule
from jaxshop.schedule.happened import Past
from jaxshop.schedule.repair import Repair, repaired
from jaxshop.search.proof import Watched
from jaxshop.search.rules import HostRules
from jaxshop.search.solver import solve
from jaxshop.search.types import Options, Stop, Task
from jaxshop.shop import TICKS_PER_HOUR, gap_percent
from jaxshop.support.errors import InvalidScheduleError

POLICIES = ("right-shift", "rules", "search")
"""Ways to plan anew: the plan as it was, later where it must be; repairs and rules; those, and search."""

SECONDS = 1.0
"""That a search gets where nothing is said."""

TELLING = 5.0
"""What comes behind a search, in times of verifying what it found: to verify the better plans of the whole shop, to say
what moved and why it is late, to write and to draw."""

RULES_SHARE = 0.3
"""Of the time, what rules may take before a search."""


@dataclass(frozen=True)
class Candidate:
    """A schedule of the whole shop. Its cost is that of the objective and of what it changes, in ticks."""

    schedule: Schedule
    source: str
    objective: int
    changes: list[Change]
    cost: int
    seconds: float


@dataclass(frozen=True)
class Replanned:
    """The new plan, and those that it was better than, each better than the one before.

    Attributes:
        bound: certified: no schedule of the whole shop that keeps what stands has a smaller makespan, in ticks.
        witness: what the bound rests on.
        late: certified as well: none has less weighted tardiness, in `Objective.parts` of ticks.
        work_done: pieces of work as `replan` takes them; 0 where nothing was searched.
    """

    past: Past
    trace: tuple[Candidate, ...]
    bound: int
    witness: str
    late: int
    seconds: float
    work_done: int

    @property
    def best(self) -> Candidate:
        """The new plan."""
        return self.trace[-1]

    @property
    def least(self) -> int:
        """The cost, in ticks of the objective, that no such schedule is below."""
        return self.past.plan.shop.objective.combined(self.bound, self.late)


class _Trials:
    """Schedules of the rest, put together with what stands and compared."""

    def __init__(self, past: Past, stability: float, begun: float, report: Callable[[Candidate, int], None]):
        self.past, self.stability, self.begun, self.report = past, stability, begun, report
        self.trace: list[Candidate] = []
        self.standing = max((row.end for row in past.kept), default=0)
        self.standing_late = _late_by_now(past)
        self.least = 0
        self._told: tuple[int, int] | None = None
        self._made: dict[int, tuple[Schedule | None, Candidate]] = {}  # by the identity of the rest, which it holds

    def offer(self, rest: Schedule | None, source: str) -> None:
        """Take a schedule of the rest, if it is better than all before it."""
        found = self._candidate(rest, source)
        if self.trace and _rank(found) >= _rank(self.trace[-1]):
            return
        if violations := [*verify(self.past.plan, found.schedule), *contradictions(self.past, found.schedule)]:
            raise InvalidScheduleError(f"the schedule of {source} is invalid: {violations[0]}")
        self.trace.append(found)
        self._tell(found)

    def foresee(self, watched: Watched) -> None:
        """Report what a search has found, which is offered when it has ended."""
        if watched.best is not None and watched.best.source != "start":
            self._tell(self._candidate(watched.best.schedule, watched.best.source))

    def _candidate(self, rest: Schedule | None, source: str) -> Candidate:
        """Made once: a search's schedules are foreseen, again with each better bound, and offered in the end."""
        if id(rest) not in self._made:
            self._made[id(rest)] = rest, self._compared(rest, source)
        return self._made[id(rest)][1]

    def _compared(self, rest: Schedule | None, source: str) -> Candidate:
        schedule, shop = self.past.whole(rest), self.past.plan.shop
        objective = shop.objective.cost(schedule.job_ends, shop.jobs)
        changes = changes_of(self.past, schedule)
        cost = objective + (round(self.stability * disturbance(changes)) if self.stability else 0)
        return Candidate(schedule, source, objective, changes, cost, time.monotonic() - self.begun)

    def _tell(self, found: Candidate) -> None:
        if self._told is None or _rank(found) < self._told:
            self._told = _rank(found)
            self.report(found, self.least)


def _rank(found: Candidate) -> tuple[int, int]:
    """By which candidates are compared: of two that cost the same the one that moves less is better."""
    return found.cost, disturbance(found.changes)


def contradictions(past: Past, schedule: Schedule) -> list[str]:
    """Sentences about what in a schedule contradicts what has happened and what is frozen."""
    rows = {row[:3]: row for row in schedule.rows}
    stand = {row[:3] for row in past.kept}
    moved = [f"{row.operation!r} stands, but is moved" for row in past.kept if rows.get(row[:3]) != row]
    now = past.events.now
    early = [f"{r.operation!r} starts before now" for key, r in rows.items() if key not in stand and r.start < now]
    return moved + early


def replan(
    past: Past,
    time_limit: float | None = SECONDS,
    stability: float = 0.0,
    seed: int = 0,
    policy: str = "search",
    threads: int | None = None,
    begun: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    watch: Callable[[Watched], None] = lambda watched: None,
    work: int | None = None,
    report: Callable[[Candidate, int], None] = lambda candidate, least: None,
) -> Replanned:
    """Plan the rest of a plan anew: repairs first, then rules, then search while time is left.

    Args:
        past: what has happened.
        time_limit: seconds; repairs are made in any case, and one rule where it is 0 or that leaves time for one.
            None: `work` alone ends it.
        stability: what an hour by which an operation moves, or another machine, costs in hours of the objective.
        seed: of all chance.
        policy: one of `POLICIES`.
        threads: of the search; None: one for each core.
        begun: what `time.monotonic()` said when the time began; None: now.
        cancelled: looked at now and then; True ends the search with the best so far.
        watch: called with each incumbent of the search.
        work: pieces of work of the search, or schedules of the policy `rules`; neither repairs nor the rules before a
            search are counted. The same work gives the same plan.
        report: told each better schedule of the whole shop as it is found, with what none costs less than; those of
            the search before they are verified.

    Raises:
        InvalidScheduleError: a schedule is invalid, or contradicts what has happened.
    """
    begun = time.monotonic() if begun is None else begun
    trials = _Trials(past, stability, begun, report)
    if not past.rest.lots:
        trials.offer(None, "repair:nothing")
        return _result(trials, None, begun, 0)
    start: Schedule | None = None
    least = 0
    task = Task.of(past.rest)
    trials.least = _result(trials, task.certificate, begun, 0).least
    began = time.monotonic()
    for repair in Repair:
        for urgent in (False, True) if past.events.add else (False,):
            rest = repaired(past, repair, urgent)
            trials.offer(rest, f"repair:{repair.value}")
            if start is None or task.cost(rest) < least:
                start, least = rest, task.cost(rest)
        if policy == "right-shift":
            return _result(trials, task.certificate, begun, 0)
    if policy == "rules":
        stop = Stop(time_limit, work, begun=begun, cancelled=cancelled)
        for incumbent in HostRules().search(task, seed, stop):
            trials.offer(incumbent.schedule, incumbent.source)
        return _result(trials, task.certificate, begun, stop.done)
    now = time.monotonic()
    if not time_limit or now + (now - began) < begun + time_limit:  # a rule takes about as long as the repairs
        deadline = None if time_limit is None else begun + RULES_SHARE * time_limit
        name, rest = best_rule(past.rest, deadline, task.objective)
        trials.offer(rest, f"rule:{name}")
        if task.cost(rest) < least:
            start, least = rest, task.cost(rest)
    proven = least <= task.certificate.cost(task.objective)
    late = time_limit is not None and time.monotonic() - begun >= time_limit
    if proven or late or work == 0 or cancelled():
        return _result(trials, task.certificate, begun, 0)
    options = Options(start=start, threads=threads, writing=TELLING)

    def seen(watched: Watched) -> None:
        watch(watched)
        trials.foresee(watched)

    found = solve(
        past.rest,
        seed=seed,
        time_limit=time_limit,
        method="auto",
        begun=begun,
        options=options,
        work=work,
        cancelled=cancelled,
        watch=seen,
        certificate=task.certificate,
    )
    # Which schedules a search shows on its way depends on the clock; with an end by work, the last does not.
    for incumbent in found.trace if work is None else found.trace[-1:]:
        if incumbent.source != "start":
            trials.offer(incumbent.schedule, incumbent.source)
    return _result(trials, found.certificate, begun, found.work_done)


def _result(trials: _Trials, certificate: Certificate | None, begun: float, work: int) -> Replanned:
    bound, witness, late = trials.standing, "what stands", trials.standing_late
    if certificate is not None:
        late += certificate.late
        if certificate.value > bound:
            bound, witness = certificate.value, certificate.witness
    return Replanned(trials.past, tuple(trials.trace), bound, witness, late, time.monotonic() - begun, work)


def _late_by_now(past: Past) -> int:
    """The weighted tardiness of jobs of which nothing is left to plan; the rest's certificate tells that of others."""
    shop, open_jobs = past.plan.shop, {lot.job for lot in past.rest.lots}
    ends = Schedule(past.fingerprint, past.plan.max_lot_hours, past.kept).job_ends
    late = ((job, ends[job.id] - job.due) for job in shop.jobs if job.due is not None and job.id not in open_jobs)
    return sum(shop.objective.parts(job) * ticks for job, ticks in late if ticks > 0)


def facts(found: Replanned) -> dict[str, Any]:
    """What `jaxshop reschedule --json` and the server tell of a new plan, but for the schedule itself."""
    past, best = found.past, found.best
    before = Schedule(past.fingerprint, past.plan.max_lot_hours, tuple(past.planned.values()))
    return {
        "makespan_hours": best.schedule.makespan / TICKS_PER_HOUR,
        "lower_bound_hours": found.bound / TICKS_PER_HOUR,
        "gap_percent": gap_percent(best.schedule.makespan, found.bound),
        "proven_optimal": best.objective <= found.least,
        "source": best.source,
        "valid": True,
        "seconds": round(found.seconds, 3),
        "objective": best.objective / TICKS_PER_HOUR,
        "objective_bound": found.least / TICKS_PER_HOUR,
        **tardiness(past.plan, best.schedule),
        "work_done": found.work_done,
        "trace": [[round(each.seconds, 3), each.cost / TICKS_PER_HOUR, each.source] for each in found.trace],
        "bound": {"witness": found.witness},
        "fingerprint": past.fingerprint,
        "before": {"makespan_hours": before.makespan / TICKS_PER_HOUR, **tardiness(past.plan, before)},
        "changes": changes_to_json(past, best.changes),
        "late": why_late(past.plan, best.schedule),
    }
