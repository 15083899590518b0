"""Searches side by side, a seat each: they hear of each other's best, and the kind that finds more gets more seats."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from jaxshop.search.improve.crossing import Crossing
from jaxshop.search.improve.dividing import Dividing, centre_of
from jaxshop.search.improve.model import Model
from jaxshop.search.improve.orders import stages_of
from jaxshop.search.improve.workers import (
    SHARING,
    BackwardOrderSearch,
    Exchange,
    Found,
    IteratedGreedy,
    Levelling,
    OrderSearch,
    TabuSearch,
    Worker,
    narrow,
    placed,
)

EPOCH = 32
"""Pieces of work by each seat after which the team meets."""

MEMORY = 0.8
"""What a gain still counts at the next meeting."""

LEAST_SHARE = 0.15
"""Of the seats, before all shares are scaled to one, for the kind that finds less: shops change their nature as they
get better."""

NO_GAIN = 1e-9
"""Ticks; where nobody has found anything for long, all are alike."""

ALONE = 3
"""Epochs that a worker goes on its own way from where it began, before it hears of a better schedule."""

STILL = 2
"""Epochs without a better schedule after which one worker begins anew, twice as many each further time: what a search
is stuck in, one that comes from elsewhere may not meet."""

STILL_LATE = 8
"""The same where search comes to rest late: where operations take more time on one machine than on another, and where
schedules are crossed."""

CLOSE = 10
"""Where no more than a schedule's cost >> CLOSE is left to the goal, or one tick, loads are levelled in half of the
turns."""

NEAR = 5
"""Where no less than a schedule's cost >> NEAR is left to the goal, the centre's work is not divided anew: another
centre, or none, decides."""

Start = tuple[np.ndarray, np.ndarray]
"""Operations in an order of their starts, and the alternative of each, int32 [operations]."""


@dataclass
class Seat:
    """A worker of each kind, made at its first turn, of which one is at work in an epoch; `alone`: epochs that each
    goes on its own way yet."""

    workers: dict[int, Worker]
    alone: list[int]
    at_work: int = 0


class Team:
    """Seats whose workers hear of each other's best, and share the time by what each kind has found.

    Whatever the clock does, the same work gives the same schedule: who works depends on what was found alone.
    """

    def __init__(
        self,
        model: Model,
        begin: Start,
        seed: int,
        seats: int,
        others: tuple[Start, ...] = (),
        goal: int = 0,
        machines: tuple[int, ...] = (),
    ):
        """Begin with a start, and before it with others, where there are any; iterated greedy with the first of them.

        `goal`: a cost in ticks that no schedule is below; `machines`: those because of which that is so.
        """
        flexible = len(model.arrays.where) > model.arrays.operations
        # Without alternatives, to take operations out and put them back leads nowhere that tabu search does not.
        sharing = len(model.arrays.where) >= SHARING * model.arrays.operations
        kinds: list[tuple[type[Worker], Start]] = [(OrderSearch, begin)] if stages_of(model.arrays) else []
        kinds += [(BackwardOrderSearch, begin)] if stages_of(model.arrays, backward=True) else []
        crossed = flexible and narrow(model.arrays) and not others
        if crossed:
            kinds += [(Crossing, begin)]
        else:
            kinds += [(TabuSearch, start) for start in (*others, begin)]
            kinds += [(IteratedGreedy, (*others, begin)[0])] if flexible else []
            # Exchanges divide the work of machines that share it.
            kinds += [(Exchange, begin)] if sharing else []
        kinds += [(Levelling, begin)] if sharing and not others else []
        self._centre = centre_of(model.arrays, machines) if flexible else None
        kinds += [(Dividing, begin)] if self._centre else []
        self._model, self._kinds, self._seed, self._goal = model, kinds, 1000 * seed, goal
        self._seats = [Seat({}, [ALONE] * len(kinds)) for _ in range(seats)]
        # Iterated greedy and exchanges have the last word: the others are quick, and whoever begins with these stays in
        # what they find.
        self._gains = np.array(
            [float(maker not in (IteratedGreedy, Exchange, Levelling, Dividing)) for maker, _ in kinds]
        )
        self._owed = np.zeros(len(kinds))
        self._done, self._left = 0, EPOCH
        # Where times are uneven, coolings find most, late: they are not cut in pieces, nor taken for standing still.
        self._whole = bool(others)
        self._still, self._patience, self._renewed = 0, STILL_LATE if self._whole or crossed else STILL, 0
        self._kept = min((placed(model, *start) for start in (*others, begin)), key=lambda found: found.cost)
        self._cost = self.winner.cost
        self._assign()

    @property
    def winner(self) -> Found:
        """The best schedule."""
        every = (worker.found for seat in self._seats for worker in seat.workers.values())
        return min((self._kept, *every), key=lambda found: (found.cost, found.piece))  # the same, whoever looks when

    @property
    def left(self) -> int:
        """Pieces of work until the next meeting: no more can be asked for at once."""
        return self._left

    def advance(self, pieces: int, target: int, pool: Executor) -> None:
        """Let each seat do so many pieces of work, or less where one meets a cost, as the arrays tell it."""
        at_work = [seat.workers[seat.at_work] for seat in self._seats]
        for advanced in [pool.submit(worker.advance, pieces, target, self._done) for worker in at_work]:
            advanced.result()
        self._done += pieces
        self._left -= pieces
        if self._left == 0:
            self._meet()

    def _new(self, kind: int, number: int) -> Worker:
        maker, start = self._kinds[kind]
        more: tuple[object, ...] = (self._model.scaled(self._goal),) if maker in (Exchange, Levelling, Dividing) else ()
        more += (self._centre,) if maker is Dividing else ()
        return maker(self._model, *start, self._seed + number, *more)

    def _meet(self) -> None:
        winner = self.winner
        self._gains *= MEMORY
        for seat in self._seats:
            worker, kind = seat.workers[seat.at_work], seat.at_work
            self._gains[kind] += max(0, self._cost - worker.found.cost)
            seat.alone[kind] = max(0, seat.alone[kind] - 1)
            if worker.found.cost > winner.cost and not seat.alone[kind]:
                worker.adopt(winner)
        self._still = 0 if winner.cost < self._cost else self._still + 1
        self._cost, self._left = winner.cost, EPOCH
        if self._still >= self._patience and not self._closing:
            self._begin_anew()
        self._assign()

    def _begin_anew(self) -> None:
        """Let a tabu search of the next seat, or crossing, begin again, for as long as there was nothing new."""
        self._kept = self.winner  # what only the one that begins again may have
        seat = self._seats[self._renewed % len(self._seats)]
        searches = [kind for kind, (maker, _) in enumerate(self._kinds) if maker in (TabuSearch, Crossing)]
        kind = searches[self._renewed // len(self._seats) % len(searches)]
        self._renewed, self._still = self._renewed + 1, 0
        seat.workers[kind] = self._new(kind, len(self._seats) * len(self._kinds) + self._renewed)
        seat.alone[kind], seat.at_work, self._patience = self._patience, kind, 2 * self._patience

    @property
    def _closing(self) -> bool:
        """Whether what is left to the goal is so little that levelling loads is what leads there."""
        levels = any(maker is Levelling for maker, _ in self._kinds)
        return levels and self._cost - self._goal <= max(1, self._cost >> CLOSE)

    def _assign(self) -> None:
        """Say who works next: who is on its own way goes on; else the kind that is owed most of its share."""
        gains, closing, winner = self._gains + NO_GAIN, self._closing, self.winner
        shares = np.clip(gains / gains.sum(), LEAST_SHARE, 1.0)
        levels = np.array([maker is Levelling for maker, _ in self._kinds])
        workers = [worker for seat in self._seats for worker in seat.workers.values()]
        proven = any(isinstance(worker, Dividing) and worker.proven for worker in workers)
        if proven or self._cost - self._goal >= self._cost >> NEAR:
            shares[[maker is Dividing for maker, _ in self._kinds]] = 0.0
        shares[levels] = shares[~levels].sum() if closing else 0.0
        for place, seat in enumerate(self._seats):
            if seat.alone[seat.at_work] and self._done and not closing:
                continue
            self._owed += shares / shares.sum()
            if not (self._whole and self._done and seat.workers[seat.at_work].amid):
                seat.at_work = int(self._owed.argmax())
            self._owed[seat.at_work] -= 1.0
            if seat.at_work not in seat.workers:
                number = place * len(self._kinds) + seat.at_work + 1
                seat.workers[seat.at_work] = self._new(seat.at_work, number)
            worker = seat.workers[seat.at_work]
            if closing and worker.found.cost > winner.cost:
                worker.adopt(winner)
