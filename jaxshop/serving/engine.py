"""The real engine: the policy's rollouts, compiled ahead of time for a ladder of padded sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from chex import ArrayTree

from jaxshop.env import EnvParams, JobShop, Shape
from jaxshop.env.packing import pack, shape_of
from jaxshop.env.types import PlantShape
from jaxshop.policies.checkpoint import CheckpointError, load_policy
from jaxshop.policies.types import Network
from jaxshop.schedule import Schedule
from jaxshop.search import Method, warming
from jaxshop.search.compiled import CANDIDATES, RULE_BATCH, SAMPLE_BATCH, program, rule_arguments
from jaxshop.search.dispatches import Dispatch, to_schedule
from jaxshop.search.registry import method_named
from jaxshop.search.types import Options
from jaxshop.serving.types import Model
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, rules_of, split_lots
from jaxshop.support.errors import ShopError

SAMPLED_OPERATIONS = 16 * 2048
"""Operations that one call for samples schedules at most."""

RULED_SIZE = 1 << 21
"""Operations x sets x choices up to which every rule is tried; beyond it the first alone, lest they take far longer
than the policy."""

COMPILATION = "/jax/core/compile/backend_compile_duration"


def rung(
    lots: int,
    operations: int,
    choices: int,
    sets: int,
    machines: int,
    overlap: int = 0,
    plant: PlantShape | None = None,
) -> Shape:
    """A padded size; one set and one pool more than machines ask for, since padding takes one of each."""
    plain = Shape(lots, operations, choices, sets + 1, machines, machines + 1, min(CANDIDATES, lots), overlap)
    return plain if plant is None else replace(plain, plant=plant, tardiness=True)


LADDER = (
    rung(lots=32, operations=128, choices=8, sets=32, machines=16),
    rung(lots=128, operations=512, choices=16, sets=128, machines=64),
    rung(lots=640, operations=2048, choices=1, sets=160, machines=160, overlap=8),
    rung(lots=640, operations=2048, choices=32, sets=512, machines=160),
    rung(lots=2048, operations=8192, choices=2, sets=512, machines=512),
)
"""Smallest first: a plan goes to the first that holds it."""


SIZE = "lots:operations:machines[:times[:sets[:overlap]]][+calendars:closings:families:tables]"


def parse_sizes(text: str) -> tuple[Shape, ...]:
    """Read a ladder: sizes after commas, each as `SIZE` says; none: the usual one.

    `times`: different times that an operation takes on its machines (1); `sets`: different sets of machines that an
    operation takes the same time on (as many as machines); `overlap`: such sets that one machine is in (0: any number).
    With a `+` it is for shops with the plant's own rules and any objective, too.

    Raises:
        ShopError: it is no such text.
    """
    sizes = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        plain, mark, rules = entry.partition("+")
        numbers, ruled = plain.split(":"), rules.split(":") if mark else []
        lengths = 3 <= len(numbers) <= 6 and len(ruled) in (0, 4)
        if not lengths or not all(re.fullmatch(r"0|[1-9]\d{0,5}", number) for number in (*numbers, *ruled)):
            raise ShopError(f"JAXSHOP_SIZES: {entry!r} is not {SIZE}")
        lots, operations, machines, *more = map(int, numbers)
        times, sets, overlap = [*more, *(1, machines, 0)[len(more) :]]
        if min(lots, operations, machines, times, sets) < 1 or lots > operations:
            raise ShopError(f"JAXSHOP_SIZES: {entry!r}: every number must be at least 1, and lots at most operations")
        if mark and min(map(int, ruled)) < 1:
            raise ShopError(f"JAXSHOP_SIZES: {entry!r}: every number behind the + must be at least 1")
        sizes.append(rung(lots, operations, times, sets, machines, overlap, _plant(*map(int, ruled)) if mark else None))
    return tuple(sizes) or LADDER


def _plant(calendars: int, closings: int, families: int, tables: int) -> PlantShape:
    return PlantShape(calendars, 1 << closings.bit_length(), families + 1, tables, whole=True)


def holds(size: Shape, needed: Shape) -> bool:
    """Say whether a plan of the least shape `needed` can be padded to `size`."""
    counted = ("lots", "operations", "choices", "sets", "machines", "pools")
    fits = all(getattr(needed, name) <= getattr(size, name) for name in counted)
    fits = fits and (size.overlap == 0 or 0 < needed.overlap <= size.overlap)
    ruled, rules = size.plant, needed.plant
    if rules is not None:
        of_rules = ("calendars", "windows", "families", "tables")
        fits = fits and ruled is not None and all(getattr(rules, name) <= getattr(ruled, name) for name in of_rules)
    return fits and needed.tardiness <= size.tardiness


def in_words(size: Shape) -> str:
    """A size as a sentence names it."""
    limits = JaxEngine.limits(size).items()
    return ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in limits if value is not None)


class Task(NamedTuple):
    """A plan as padded arrays."""

    plan: LotPlan
    shape: Shape
    params: EnvParams


class JaxEngine:
    """Greedy and sampled rollouts on one device. Weights are arguments, so new ones need no compilation."""

    def __init__(self, checkpoint: Path | None, on_compile: Callable[[], None], sizes: Sequence[Shape] = LADDER):
        """Make an engine; `on_compile` is called at each XLA compilation in this process from now on."""
        self.sizes = tuple(sizes)
        self._checkpoint = checkpoint
        self._network: Network | None = None
        self._passing = False
        self._weights: ArrayTree = None

        def count(event: str, duration_secs: float, **_: str | int) -> None:
            if event == COMPILATION:
                on_compile()

        jax.monitoring.register_event_duration_secs_listener(count)

    def chunk(self, size: Shape) -> int:
        """Return how many samples one call computes: fewer of a large size, so that others need not wait long."""
        return max(1, min(SAMPLE_BATCH, SAMPLED_OPERATIONS // size.operations))

    def load(self) -> Model:
        """Read the checkpoint.

        Raises:
            CheckpointError: it is missing or damaged, holds numbers that are not finite, or another network than
                the one that was compiled.
        """
        warming.every()  # beside the caller, what searches need
        policy = load_policy(self._checkpoint)
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(policy.weights)]
        if not all(np.isfinite(leaf).all() for leaf in leaves):
            raise CheckpointError(f"{policy.path}: holds weights that are not finite")
        if self._network not in (None, policy.network):
            raise CheckpointError(f"{policy.path}: another network than the one in use: restart the server")
        if self._network is not None and self._passing != policy.passing:
            raise CheckpointError(f"{policy.path}: decides otherwise than the one in use: restart the server")
        self._network, self._passing, self._weights = policy.network, policy.passing, policy.weights
        folder = Path(policy.path)
        name = folder.parent.name if folder.name == "checkpoints" else folder.name
        return Model(name, policy.id, policy.meta["trained_on"], policy.weights)

    def effort(self, size: Shape) -> float:
        """How long the size takes to be compiled, beside others."""
        return size.operations * size.choices * size.sets

    def compile(self, size: Shape) -> None:
        """Compile the rollouts of a size, for weights like those that were loaded last."""
        params = pack(self.specimen(size), size, bound=1)
        numbers = jax.random.key(0), np.int32(0), np.int32(0)
        ruled = rule_arguments(["MWKR"], [0], self._ruled(size))
        self._program("greedy", size).lower(self._weights, params).compile()
        self._program("samples", size).lower(self._weights, params, *numbers).compile()
        for env in _decisions(size):
            program("rules", env).lower(params, *ruled).compile()

    def _program(self, step: str, size: Shape) -> Any:
        return program(step, JobShop(size, passing=self._passing), self._network, self.chunk(size))

    @staticmethod
    def _ruled(size: Shape) -> int:
        return RULE_BATCH if size.operations * size.sets * size.choices <= RULED_SIZE else 1

    @staticmethod
    def limits(size: Shape) -> dict[str, int | None]:
        """Return what a plan may have at most to fit the size; None where that does not matter.

        The last four are None where it holds no shop with the plant's own rules, nor with another objective.
        """
        rules = size.plant
        return {
            "lots": size.lots,
            "operations": size.operations,
            "machines": size.machines,
            "times_per_operation": size.choices,
            "machine_sets": size.sets - 1,  # padding takes one
            "sets_per_machine": size.overlap or None,
            "calendars": None if rules is None else rules.calendars,
            "closings": None if rules is None else rules.windows - 1,
            "families": None if rules is None else rules.families - 1,
            "tables_of_setups": None if rules is None else rules.tables,
        }

    def specimen(self, size: Shape) -> LotPlan:
        """Return a plan with as many lots, operations, machines and choices as the size holds."""
        machines = [f"M{i}" for i in range(size.machines)]
        length = size.operations // size.lots

        def operation(j: int, k: int) -> Operation:
            first, ticks = j + 7 * k, 600 + (37 * j + 59 * k) % 997
            times = {machines[(first + i) % len(machines)]: ticks + 60 * i for i in range(size.choices)}
            return Operation(f"{j}/{k}", times, setup=60)

        jobs = tuple(Job(f"J{j}", tuple(operation(j, k) for k in range(length))) for j in range(size.lots))
        return split_lots(Shop("specimen", tuple(map(Machine, machines)), jobs), None)

    def fit(self, plan: LotPlan) -> Shape:
        """Return the first size that holds the plan; raises ShopError, with the limit, if none does."""
        needed = shape_of([plan], CANDIDATES)
        for size in self.sizes:
            if holds(size, needed):
                return size
        rules = needed.plant is not None or needed.tardiness
        able = [size for size in self.sizes if size.plant is not None or not rules]
        if not able:
            raise ShopError(
                f"{plan.shop.name}: no size here is compiled for {', '.join(rules_of(plan))}; without samples the "
                f"search keeps them, and JAXSHOP_SIZES adds a size: {SIZE}; this shop has {in_words(needed)}"
            )
        largest = " or ".join(map(in_words, able[-2:]))
        raise ShopError(f"this shop has {in_words(needed)}; the largest sizes here hold {largest}")

    def prepare(self, plan: LotPlan, bound: int, size: Shape) -> Task:
        """Pad the plan to the size."""
        return Task(plan, size, pack(plan, size, bound))

    def greedy(self, model: Model, task: Task) -> Schedule:
        """Return the schedule of the policy's most probable choices."""
        return to_schedule(task.plan, self._program("greedy", task.shape)(model.weights, task.params))

    def rules(self, task: Task, names: Sequence[str], seed: int) -> list[tuple[str, Schedule]]:
        """Return the best of the rules, the first of those that are equally good, non-delay and active.

        Large sizes try the first rule only; which, depends on the size alone.
        """
        names = names[: self._ruled(task.shape)]
        arguments = rule_arguments(names, [seed] * len(names), self._ruled(task.shape))
        played = [program("rules", env)(task.params, *arguments) for env in _decisions(task.shape)]  # side by side
        found = []
        for kind, dispatches in zip(("", "/active"), played, strict=True):
            best = int(np.asarray(dispatches.cost).argmin())
            schedule = to_schedule(task.plan, Dispatch(*(np.asarray(x)[best] for x in dispatches)))
            found.append((names[best] + kind, schedule))
        return found

    def samples(self, model: Model, task: Task, seed: int, start: int, count: int) -> Schedule:
        """Return the best of samples `start` to `start + count`, the first of those that are equally good."""
        arguments = jax.random.key(seed), np.int32(start), np.int32(start + count)
        found, _ = self._program("samples", task.shape)(model.weights, task.params, *arguments)
        return to_schedule(task.plan, found)

    def searches(self, plan: LotPlan) -> bool:
        """Whether the kernels that a search of the plan begins with are there."""
        return warming.ready(plan)

    def auto(self, cores: int | None) -> Method:
        """Return the search that needs no device; it runs in any thread."""
        nothing: Any = None  # it asks no rollouts for anything
        return method_named("auto", nothing, Options(threads=cores))


def _decisions(size: Shape) -> tuple[JobShop, JobShop]:
    """Non-delay and active."""
    return JobShop(size, non_delay=True), JobShop(size)
