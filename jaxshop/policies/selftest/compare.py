"""Play on this device and on the CPU, and compare: integers bit for bit, logits within `TOLERANCE`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np
from chex import ArrayTree
from jax.sharding import Mesh, NamedSharding, PartitionSpec, SingleDeviceSharding

from jaxshop.env import JobShop, make
from jaxshop.parallel.mesh import AXIS, device_name
from jaxshop.policies.checkpoint import CheckpointError, load_policy
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.policies.rules import RULES
from jaxshop.policies.selftest.playing import LAYOUTS, POLICY, WORDS, Layout, Played, Roles, playing
from jaxshop.policies.selftest.shops import SHOPS
from jaxshop.policies.types import Network
from jaxshop.support.errors import DeviceError, ShopError

TOLERANCE = 0.02
"""Of logits: so much of the largest of a decision, or of 1 where that is less. A GPU's matrix units keep 10 bits."""
SHORT_SECONDS = 5.0
"""The short form begins no program after so long; the first one is always run."""
CANDIDATES = 6
"""Lots shown, fewer than there are: which are cut off must agree, too."""
SEEDS = 4
"""Environments that play by random words."""

QUICKLY = {"xla_backend_optimization_level": 0}
"""How the CPU's side is compiled: in half the time, and otherwise than a CPU that is tested."""

PLAYERS = {"random words": [WORDS], "every rule": list(range(1, POLICY)), "policy": [POLICY]}
Execute = Callable[["Work", Roles], Played]


class Finding(NamedTuple):
    """A case: what was played, and whether both sides agree."""

    case: str
    agrees: bool
    detail: str  # what differs first; "" where nothing does
    logits: float  # largest difference, in units of `TOLERANCE`'s measure
    seconds: float  # of the program, which several cases share


class Player(NamedTuple):
    """A network with weights on the host."""

    network: Network
    weights: ArrayTree


class Work(NamedTuple):
    """A program, and what it plays."""

    shop: str
    layout: Layout
    env: JobShop
    params: Any  # [S, ...]
    player: Player

    @property
    def name(self) -> str:
        """In words."""
        decision = "non-delay" if self.env.non_delay else "passing machines over" if self.env.passing else "active"
        return f"{self.shop}, {decision}, {self.layout}"


class Side:
    """Devices of one kind, all of this process's, that play; programs are kept for shops of the same shape."""

    def __init__(self, devices: Sequence[jax.Device], options: dict[str, Any] | None = None):
        """Make a side; `options` are the compiler's."""
        self._devices, self._options = devices, options
        self._programs: dict[Any, Any] = {}

    def __call__(self, work: Work, roles: Roles) -> Played:
        """Play, and fetch what was played."""
        arguments = self._placed(work, roles)
        known = work.env, work.layout, roles.player.size, work.params.operations.size
        if known not in self._programs:
            run = playing(work.env, work.player.network, work.layout, self._mesh, work.params.operations.size)
            with jax.numpy_rank_promotion("allow"):  # environments at the end of every array meet the axes before
                lowered = jax.jit(run, compiler_options=self._options).lower(*arguments)
            self._programs[known] = lowered.compile()
        return jax.device_get(self._programs[known](*arguments))

    @cached_property
    def _mesh(self) -> Mesh:
        return Mesh(np.array(self._devices), (AXIS,))

    def _placed(self, work: Work, roles: Roles) -> tuple[Any, ...]:
        alone = SingleDeviceSharding(self._devices[0])
        everywhere, spread = (
            (NamedSharding(self._mesh, spec) for spec in (PartitionSpec(), PartitionSpec(AXIS)))
            if work.layout == "sharded"
            else (alone, alone)
        )
        key = jax.device_put(np.array([0, 18], np.uint32), everywhere)  # raw: a typed key is made on the default device
        return (
            *jax.device_put((work.params, work.player.weights), everywhere),
            jax.device_put(roles, spread),
            jax.random.wrap_key_data(key, impl="threefry2x32"),
        )


def selftest(
    short: bool = False,
    here: Execute | None = None,
    there: Execute | None = None,
    limit: float | None = None,
) -> Iterator[Finding]:
    """Yield a finding for each case as it is made.

    Args:
        short: each shop once, over all devices, what is most often asked for first.
        here: plays on the device that is tested; None: this process's.
        there: plays on the CPU.
        limit: seconds after which no further program is begun; None for none.

    Raises:
        ShopError: JAX was told to leave out the CPU.
    """
    begun = time.monotonic()
    here, there = here or Side(jax.local_devices()), there or _cpu()
    player, several = _player(), jax.local_device_count()
    with ThreadPoolExecutor(1) as beside:
        for number, work in enumerate(_works(player, short)):
            if limit is not None and number and time.monotonic() - begun > limit:
                return
            yield from _findings(work, _roles(work, several), here, there, beside)


def trust_device() -> None:
    """Run the short form, on anything but a CPU.

    Raises:
        DeviceError: names the first case that differs.
        ShopError: as `selftest`.
    """
    if jax.default_backend() == "cpu":
        return
    for finding in selftest(short=True, limit=SHORT_SECONDS):
        if not finding.agrees:
            raise DeviceError(
                f"{device_name()}: does not compute what the CPU does: {finding.case}: {finding.detail}; "
                "`jaxshop selftest` tells more"
            )


def _cpu() -> Side:
    """The CPU beside the device."""
    try:
        return Side(jax.local_devices(backend="cpu")[:1], QUICKLY)
    except RuntimeError:
        names = getattr(jax.config, "jax_platforms")  # noqa: B009 - JAX's stubs do not know it
        raise ShopError(
            f"JAX_PLATFORMS={names}: leaves out the CPU that the device is compared with: JAX_PLATFORMS={names},cpu"
        ) from None


def _player() -> Player:
    """The shipped policy; random weights where it is one for other features: training shall make a new one then."""
    try:
        policy = load_policy()
        network, weights = policy.network, policy.weights
    except CheckpointError:
        network = make_network(NetworkConfig())
        weights = network.initialise(jax.random.key(18))
    return Player(network, jax.device_get(weights))


def _works(player: Player, short: bool) -> Iterator[Work]:
    """Every shop in every layout, active; and vmapped, non-delay, and with machines passed over where that can be.

    In short: each shop once, on all devices.
    """
    for name, shops in SHOPS.items():
        env, params = make(shops(), candidates=CANDIDATES)
        params = jax.device_get(params)
        active, non_delay = JobShop(env.shape), JobShop(env.shape, non_delay=True)
        if short:
            yield Work(name, "vmapped" if jax.local_device_count() == 1 else "sharded", active, params, player)
            continue
        for layout in LAYOUTS:
            yield Work(name, layout, active, params, player)
        yield Work(name, "vmapped", non_delay, params, player)
        if env.shape.plant is not None:
            yield Work(name, "vmapped", JobShop(env.shape, passing=True), params, player)


def _roles(work: Work, several: int) -> Roles:
    """Every player on every shop, in a number of environments that `several` devices can share."""
    players = [WORDS] * SEEDS + [number for numbers in PLAYERS.values() for number in numbers if number != WORDS]
    count = work.params.operations.size
    total = len(players) * count
    rows = np.arange(-(-total // several) * several) % total
    rng, steps = np.random.default_rng(18), work.env.shape.operations
    return Roles(
        np.repeat(np.array(players, np.int32), count)[rows],
        np.tile(np.arange(count, dtype=np.int32), len(players))[rows],
        rng.integers(1 << 32, size=(rows.size, steps), dtype=np.uint32),
        np.full((rows.size, steps), -1, np.int32),
    )


def _findings(work: Work, roles: Roles, here: Execute, there: Execute, beside: ThreadPoolExecutor) -> Iterator[Finding]:
    """What both sides play, compared for each kind of player.

    The policy takes here the lots that it chose there: where two logits are nearly equal, either choice is right.
    """
    begun = time.monotonic()
    warming = beside.submit(here, work, roles)  # XLA compiles without Python's lock, for both at once
    expected = there(work if work.layout != "sharded" else work._replace(layout="vmapped"), roles)
    warming.result()
    forced = (roles.player == POLICY)[:, None]
    found = here(work, roles._replace(given=np.where(forced, expected.lot.T, -1)))
    seconds = time.monotonic() - begun
    for kind, numbers in PLAYERS.items():
        rows = np.flatnonzero(np.isin(roles.player, numbers))
        detail, logits = _difference(_of(found, rows), _of(expected, rows), roles.player[rows])
        yield Finding(f"{work.name}, {kind}", not detail, detail, logits, seconds)


def _of(played: Played, rows: np.ndarray) -> Played:
    steps = (x[:, rows] for x in played[:-1])
    return Played._make([*steps, jax.tree.map(lambda x: x[rows], played.state)])


def _difference(found: Played, expected: Played, players: np.ndarray) -> tuple[str, float]:
    """What differs first, in words, "" for nothing; and how far logits are apart."""
    sides = (jax.tree_util.tree_leaves_with_path(side) for side in (found, expected))
    differing = []
    for (path, ours), (_, theirs) in zip(*sides, strict=True):
        if not np.issubdtype(ours.dtype, np.floating) and not np.array_equal(ours, theirs):
            place = tuple(np.argwhere(ours != theirs)[0].tolist())
            step, who = place[:2] if path[0].name != "state" else (len(found.lot), place[0])
            where = f"{jax.tree_util.keystr(path).removeprefix('.')}{list(place)}"
            differing.append((step, f"{where} is {ours[place]}, on the CPU {theirs[place]}, by {_name(players[who])}"))
    if differing:
        return min(differing)[1], float("inf")
    real = found.candidate_mask
    scale = np.maximum(np.where(real, np.abs(expected.logits), 0.0).max(axis=-1, keepdims=True), 1.0)
    apart = np.where(real, np.abs(found.logits - expected.logits) / scale, 0.0)
    worst = float(apart.max()) if not np.isnan(apart).any() else float("nan")
    if worst <= TOLERANCE:
        return "", worst
    return f"logits differ by {worst:.3g} of the largest, more than {TOLERANCE:g}", worst


def _name(player: int) -> str:
    return "random words" if player == WORDS else "the policy" if player == POLICY else list(RULES)[player - 1]
