"""Better certificates, beside a search: windows under a trial makespan, small sets of machines solved exactly, and
whole shops, where they are small."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from jaxshop.bounds.branching import DEEPEST, DEPTH, NODES, orders_of, search
from jaxshop.bounds.certify import Certificate, listed
from jaxshop.bounds.division import FOUND, NONE
from jaxshop.bounds.exact import MAX_MACHINES, MAX_OPERATIONS, NO, OPEN, YES, Tree, advance, plant
from jaxshop.bounds.open_time import loosened
from jaxshop.bounds.shares import Shares
from jaxshop.bounds.windows import Model, Pool, Windows, model_of, pool_bound, windows
from jaxshop.shop import LotPlan, rules_of, span
from jaxshop.shop.plant import FIXED, needs_timing

_CHUNK = 100
"""Nodes of a search between two looks at the clock."""

_FIRST_NODES, _GROWTH = 1_000, 4
"""Nodes for one question in the first round, and how many times more in each further round."""

_NODES_AN_OPERATION = 300
"""Of a question about a set of machines, in the first round, for each operation of the shop: to search them takes about
as long as the windows that come before."""

_EFFORT = 8
"""So many times the nodes has a question of the first round that may prove a known schedule optimal."""

_POOLS = 40
"""Sets of machines that are searched."""

_KEPT = 16
"""Makespans whose windows are kept."""

_BRANCHED = 600
"""Alternatives of all operations together in a shop that is searched as a whole."""

_LOOKED_AT = 100_000
"""Nodes times pairs of operations on each machine, in such a search between two looks at the clock."""


class _StoppedError(Exception):
    """There is no time left."""


def tighten(
    plan: LotPlan,
    certificate: Certificate,
    allows: Callable[[], bool],
    known: Callable[[], int | None] = lambda: None,
) -> Iterator[Certificate]:
    """Yield ever better certificates of the plan, in the same order every time, while `allows()` and more is found.

    `known()` is the shortest makespan that is known, in ticks: the one just below it is asked about first, which is the
    question that proves it optimal. Whoever tells it as it falls has other certificates from run to run.

    The windows of all operations under a trial makespan, carried along routes and through sets of machines: where one
    becomes empty, the makespan is longer. Where the shop is small, a search through all orders of its operations,
    before the windows where some have several machines, as these take longer then. For small sets of machines, a search
    through all orders of the operations that cannot leave them, with the windows as all that is known of the rest of
    the shop. Searches go in rounds, so that easy questions do not wait for hard ones. All is integer arithmetic.

    Ends soon after `allows()` is False: calls into compiled code last some milliseconds, once `prepare` has compiled
    it or found it on disk; collecting the arrays takes about as long as `certify`.

    Closed time, set-ups by sequence and lags only lengthen what is looked at here, which makes the bounds weaker, not
    wrong; fixed work may also come later here than it does (`loosened`).
    """
    if not allows():
        return
    looked_at = loosened(plan) if FIXED in rules_of(plan) else plan
    if not looked_at.lots:  # all of it is over
        return
    model, best = model_of(looked_at), certificate
    try:
        # The shortest makespan is a whole number of units, but where the plant's own rules add other times.
        if best.value % model.unit and not needs_timing(plan):
            value = -(-best.value // model.unit) * model.unit
            best = replace(best, value=value, tightened=value)
            yield best
        whole = _Whole(model, allows) if len(model.alternatives.takes) <= _BRANCHED else None
        spread = _Spread(model, allows)
        raised = partial(_raised, plan, model, known)
        by_windows = partial(raised, lambda makespan, proves: spread.under(makespan) is None, "windows")
        at_once = whole is None or len(model.alternatives.takes) == len(model.last)  # sets of machines take long
        if at_once:
            best = yield from by_windows(best)
        active: list[Pool] = []
        nodes, attempt = _FIRST_NODES, 0
        more = max(1, _NODES_AN_OPERATION * len(model.least) // _FIRST_NODES)  # of them for a set of machines
        while active or whole is not None or attempt == 0:
            if whole is not None:
                whole.begin(nodes)
                best = yield from raised(whole.impossible, "branching", best)
                if not whole.open:  # nothing that looks at a part of the shop says more
                    return
            if attempt == 0:
                best = best if at_once else (yield from by_windows(best))
                active = _promising(model, best.value // model.unit)
            left = []
            for pool in active:
                many, before = len(pool.operations) > MAX_OPERATIONS, best.value
                if many and attempt % 2:  # it is only divided, and as many nodes as before say no more
                    left.append(pool)
                    continue
                question = _Question(spread, pool, more * nodes, attempt)
                best = yield from raised(question.impossible, "exact", best, pool)
                # A large set that a round does not raise is given up: the search beside needs the time.
                if question.open and (best.value > before or not many):
                    left.append(pool)
            active, nodes, attempt = left, nodes * _GROWTH if attempt % 2 else nodes, attempt + 1
    except _StoppedError:
        return


def prepare() -> None:
    """Compile what `tighten` needs, or load it from disk, so that no later call waits for it."""
    from jaxshop.shop import Job, Machine, Operation, Shop, split_lots

    jobs = tuple(Job(f"{j}", (Operation("a", {"M": 2}), Operation("b", {"N": 3 + j, "O": 3 + j}))) for j in range(3))
    plan = split_lots(Shop("small", tuple(Machine(name) for name in "MNO"), jobs), None)
    model, possible = model_of(plan), 99
    whole = _Whole(model, lambda: True)
    whole.begin(_FIRST_NODES)
    whole.impossible(possible, False)
    for attempt in range(2):
        _Question(_Spread(model, lambda: True), model.pools[0], _FIRST_NODES, attempt).impossible(possible, False)


def _raised(
    plan: LotPlan,
    model: Model,
    known: Callable[[], int | None],
    impossible: Callable[[int, bool], bool],
    name: str,
    best: Certificate,
    pool: Pool | None = None,
) -> Generator[Certificate, None, Certificate]:
    """Yield ever better certificates by an argument, as far as it goes; returns the best."""
    for value in _climb(best.value, model.unit, impossible, known):
        best = _named(best, plan, value, name, pool)
        yield best
    return best


def _climb(
    bound: int, unit: int, impossible: Callable[[int, bool], bool], known: Callable[[], int | None]
) -> Iterator[int]:
    """Yield ever higher bounds: the known makespan if none below it is possible; else twice as far after each success,
    then by halves once a makespan is not excluded.

    Bounds are in ticks, and multiples of the unit that makespans are counted in.
    """
    bound //= unit
    step, not_excluded, asked = 1, None, None
    while not_excluded is None or bound < not_excluded:
        best = known()
        if best is not None and best != asked and bound < (below := -(-best // unit) - 1):
            asked = best
            if impossible(below, True):
                yield (below + 1) * unit
                return
        trial = bound + step - 1 if not_excluded is None else (bound + not_excluded - 1) // 2
        if impossible(trial, False):
            bound, step = trial + 1, step * 2
            yield bound * unit
        else:
            not_excluded = trial


class _Spread:
    """The windows under trial makespans; the last are kept, as many sets of machines are asked about the same."""

    def __init__(self, model: Model, allows: Callable[[], bool]) -> None:
        self.model, self.allows = model, allows
        self._last: dict[int, Windows | None] = {}

    def under(self, makespan: int) -> Windows | None:
        """The windows; None where some operation has no time."""
        if makespan not in self._last:
            if len(self._last) == _KEPT:
                del self._last[next(iter(self._last))]
            self._last[makespan] = self._found(makespan)
        return self._last[makespan]

    def _found(self, makespan: int) -> Windows | None:
        for found in windows(self.model, makespan):
            if found is None or isinstance(found, Windows):
                return found
            if not self.allows():
                raise _StoppedError
        raise AssertionError


def _promising(model: Model, bound: int) -> list[Pool]:
    """The pools small enough to search whose own bound could reach the known one, the closest first."""
    ranked = []
    for pool in model.pools:
        if len(pool.machines) <= MAX_MACHINES:
            reach = pool_bound(model, pool) + int(model.least[pool.operations].max())
            if reach > bound and len(pool.operations) > 1:
                ranked.append((-reach, pool))
    ranked.sort(key=lambda entry: entry[0])
    return [pool for _, pool in ranked[:_POOLS]]


class _Question:
    """Whether one pool excludes a makespan, within so many nodes; `open` once a question was left unanswered."""

    def __init__(self, spread: _Spread, pool: Pool, nodes: int, attempt: int) -> None:
        self.spread, self.pool, self.nodes, self.attempt, self.allows = spread, pool, nodes, attempt, spread.allows
        self.open = False

    def impossible(self, makespan: int, proves: bool) -> bool:
        """Whether it is proven that the pool cannot be done with this makespan, which may prove a known one optimal."""
        found = self.spread.under(makespan)
        if found is None:
            return True
        r, d = found.r[self.pool.operations], found.d[self.pool.operations]
        free = self.pool.available
        if self.attempt % 2 == 0 or len(r) > MAX_OPERATIONS:
            answer = self._divided(r, d, self.nodes * (_EFFORT if proves and self.attempt == 0 else 1))
        else:
            if self.attempt % 4 == 3 and free.max() <= r.min():  # read backwards, where no machine comes late
                r, d, free = makespan - d, makespan - r, np.zeros_like(free)
            answer = self._searched(plant(r, d, self.pool.times, free, self.pool.weights), self.nodes)
        self.open |= answer == OPEN
        return answer == NO

    def _searched(self, tree: Tree, nodes: int) -> int:
        for _ in range(0, nodes, _CHUNK):
            if not self.allows():
                raise _StoppedError
            if (answer := advance(tree, _CHUNK)) != OPEN:
                return answer
        return OPEN

    def _divided(self, r: np.ndarray, d: np.ndarray, nodes: int) -> int:
        """Divide the operations among the machines first; every share that may fit is searched by itself, once."""
        shares = Shares(r, d, self.pool.times, self.pool.available, self.pool.weights)
        for _ in range(0, nodes, _CHUNK):
            if not self.allows():
                raise _StoppedError
            answer = shares.divide(_CHUNK)
            if answer == NONE:
                return NO
            if answer == FOUND and (answer := shares.ordered(lambda tree: self._searched(tree, nodes))) != NO:
                return answer
        return OPEN


class _Whole:
    """Whether the whole shop excludes a makespan, within so many nodes; `open` once a question was left unanswered."""

    def __init__(self, model: Model, allows: Callable[[], bool]) -> None:
        self.model, self.allows = model, allows
        self.open, self.nodes = False, 0
        self._possible: int | None = None
        self._weight = np.ones(len(model.available), dtype=np.int64)

    def begin(self, nodes: int) -> None:
        """Begin a round of questions."""
        self.open, self.nodes = False, nodes

    def impossible(self, makespan: int, proves: bool) -> bool:
        """Whether it is proven that no schedule has this makespan; alike whatever it `proves`."""
        if self._possible is not None and makespan >= self._possible:
            return False
        model, of = self.model, self.model.alternatives
        state = orders_of(
            *(model.last, of.begins, of.where, of.takes, model.available),
            model.heads.copy(),
            makespan - model.tails,
            self._weight,
        )
        chunk = max(1, _LOOKED_AT // int((np.bincount(of.where) ** 2).sum()))
        while state.position[NODES] < self.nodes and state.position[DEPTH] < DEEPEST:
            if not self.allows():
                raise _StoppedError
            answer = search(state, chunk)
            if answer == YES:
                self._possible = makespan
            if answer != OPEN:
                return answer == NO
        self.open = True
        return False


def _named(best: Certificate, plan: LotPlan, value: int, name: str, pool: Pool | None) -> Certificate:
    """The certificate with a better bound and the sentence that says why."""
    shown = span(value, plan.shop.unit)
    machines: tuple[str, ...]
    if name == "branching":
        witness, machines = f"no order of all {len(plan.lots)} lots' operations ends before {shown}", ()
    elif pool is None:
        witness = f"within less than {shown}, what must precede and follow leaves some operation no time"
        machines = ()
    else:
        machines = tuple(plan.shop.machines[m].id for m in pool.machines)
        witness = (
            f"{listed(machines)} cannot do the {len(pool.operations)} operations that only they can do before {shown}, "
            "in whatever order"
        )
    return replace(best, value=value, tightened=value, name=name, witness=witness, machines=machines, job=None)
