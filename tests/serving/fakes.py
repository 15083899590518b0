"""Engines that need no JAX: a list scheduler that lies, raises, hangs or dawdles when it is told to."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jaxshop.schedule import Row, Schedule
from jaxshop.search import Incumbent, Stop, Task, background
from jaxshop.search.types import Best
from jaxshop.serving.logs import event
from jaxshop.serving.types import Model
from jaxshop.shop import LotPlan, fingerprint, split_lots
from jaxshop.support.errors import ShopError
from tests.shops import small_shop


@dataclass(frozen=True)
class FakeSize:
    """A rung of a ladder without padding."""

    lots: int
    operations: int


def list_schedule(plan: LotPlan, order: random.Random | None) -> Schedule:
    """Dispatch lot after lot, or at random, each operation to the machine that completes it first."""
    free = {machine.id: machine.available_from for machine in plan.shop.machines}
    ready = [lot.release for lot in plan.lots]
    step = [0] * len(plan.lots)
    open_lots = list(range(len(plan.lots)))
    rows = []
    while open_lots:
        i = order.choice(open_lots) if order else open_lots[-1]
        lot = plan.lots[i]
        op = lot.operations[step[i]]
        starts = {m: max(ready[i], free[m]) for m in op.alternatives}
        end, machine = min((starts[m] + op.setup + ticks, m) for m, ticks in op.alternatives.items())
        rows.append(Row(lot.job, lot.index, op.id, machine, starts[machine], end))
        ready[i] = free[machine] = end
        step[i] += 1
        open_lots.remove(i)
        if step[i] < len(lot.operations):
            open_lots.append(i)
    return Schedule(fingerprint(plan.shop), plan.max_lot_hours, tuple(rows))


@dataclass(frozen=True)
class FakeAuto:
    """A search that goes on until it is stopped, with random list schedules; it does as the shop's name says."""

    engine: FakeEngine
    steps = ()

    def search(self, task: Task, key: Any, stop: Stop) -> Iterator[Incumbent]:
        """Build schedule after schedule; `auto:invalid` gives out what the verifier refuses."""
        best = Best(task, stop)
        while stop.allows(cost=best.cost):
            if not self.engine.searches(task.plan):
                time.sleep(0.05)
                continue
            schedule = list_schedule(task.plan, random.Random(f"{key}/{stop.done}"))
            stop.built["auto"] += 1
            found = self.engine._behave(task.plan.shop.name, "auto", schedule)
            if found != schedule:
                yield Incumbent(found, 1, "search:auto", stop.elapsed, stop.done)
            yield from best.offer(schedule, "search:auto")
            time.sleep(0.001)


class FakeEngine:
    """An engine that does as the shop's name says: `greedy:hang`, `samples:raise`, `greedy:invalid`, `samples:dawdle`,
    `greedy:late start`, `auto:raise`, `auto:early`.

    With a checkpoint, a JSON file of `{"name": ...}`, the model is read from it; that of `slow` compiles for a minute,
    that of `kernels` has a minute's compilation go on when everything is ready.
    """

    def __init__(
        self,
        checkpoint: Path | None = None,
        sizes: tuple[FakeSize, ...] = (FakeSize(16, 64), FakeSize(64, 256)),
    ):
        self.sizes, self.checkpoint = sizes, checkpoint
        self.release = threading.Event()
        self.dawdle_s = 0.1

    def chunk(self, size: Any) -> int:
        """Return how many samples one call computes."""
        return 4

    def load(self) -> Model:
        """Read the checkpoint."""
        if self.checkpoint is None:
            return Model("fake", "0" * 64, [], None)
        name = json.loads(self.checkpoint.read_text())["name"]
        if name == "damaged":
            raise ShopError(f"{self.checkpoint.name}: the checkpoint is damaged")
        return Model(name, "1" * 64, [], weights=name)

    def effort(self, size: FakeSize) -> float:
        """The smaller, the quicker."""
        return size.operations

    def compile(self, size: FakeSize) -> None:
        """Do nothing, or take a minute in a pool of threads, as the real one does; `kernels`: leave one behind."""
        if self.checkpoint is not None and self.load().name == "slow":
            event("compiling")
            with ThreadPoolExecutor(1) as pool:
                pool.submit(time.sleep, 60).result()
        if self.checkpoint is not None and self.load().name == "kernels":
            background.start(lambda: time.sleep(60), "kernels are compiled")

    def limits(self, size: FakeSize) -> dict[str, int | None]:
        """Return what a real engine names, too."""
        unlimited = {"machines": 999, "times_per_operation": 999, "machine_sets": 999, "sets_per_machine": None}
        return {"lots": size.lots, "operations": size.operations} | unlimited

    def specimen(self, size: FakeSize) -> LotPlan:
        """Return a plan that fills the size."""
        return split_lots(small_shop(size.lots, 8, size.operations // size.lots), None)

    def fit(self, plan: LotPlan) -> FakeSize:
        """Return the smallest size that holds the plan."""
        operations = sum(len(lot.operations) for lot in plan.lots)
        for size in self.sizes:
            if len(plan.lots) <= size.lots and operations <= size.operations:
                return size
        raise ShopError(f"{len(plan.lots)} lots, {operations} operations; the limit is {self.sizes[-1]}")

    def prepare(self, plan: LotPlan, bound: int, size: Any) -> LotPlan:
        """Return the plan."""
        return plan

    def greedy(self, model: Model, task: LotPlan) -> Schedule:
        """Dispatch lot after lot; a model named `liar` gives invalid schedules."""
        how = "greedy:invalid" if model.weights == "liar" else task.shop.name
        return self._behave(how, "greedy", list_schedule(task, None))

    def rules(self, task: LotPlan, names: Sequence[str], seed: int) -> list[tuple[str, Schedule]]:
        """Dispatch lot after lot, too, under the first rule's name."""
        return [(names[0], self._behave(task.shop.name, "rules", list_schedule(task, None)))]

    def samples(self, model: Model, task: LotPlan, seed: int, start: int, count: int) -> Schedule:
        """Return the best of random list schedules."""
        found = [list_schedule(task, random.Random(f"{seed}/{i}")) for i in range(start, start + count)]
        return self._behave(task.shop.name, "samples", min(found, key=lambda schedule: schedule.makespan))

    def searches(self, plan: LotPlan) -> bool:
        """True, but for a shop of the name `auto:early`."""
        return plan.shop.name != "auto:early"

    def auto(self, cores: int | None) -> FakeAuto:
        """Return a search without end."""
        return FakeAuto(self)

    def _behave(self, how: str, part: str, schedule: Schedule) -> Schedule:
        if how == f"{part}:invalid":
            last = schedule.rows[-1]
            return replace(schedule, rows=(*schedule.rows[:-1], last._replace(end=last.end + 1)))
        if how == f"{part}:late start":
            later = tuple(row._replace(start=row.start + 500_000, end=row.end + 500_000) for row in schedule.rows)
            return replace(schedule, rows=later)
        if how == f"{part}:raise":
            raise RuntimeError("a text of the runtime that callers must not see")
        if how == f"{part}:hang":
            self.release.wait(600)
        if how == f"{part}:dawdle":
            time.sleep(self.dawdle_s)
        return schedule
