"""Side by side on equal work, in one process: Jumanji's job shop, and a loop written by hand for Numba."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxshop.env import EnvParams, JobShop, environments_last, make
from jaxshop.env.backends.numba_loop import numba_arguments, numba_loop
from jaxshop.profiling.measure import copies, measure, on_devices, race, sharing
from jaxshop.profiling.sweep import shop_of
from jaxshop.profiling.workloads import pick, random_rollout, random_words
from jaxshop.support.errors import ShopError

JOBS, MACHINES, OPERATIONS = 20, 10, 8
ROUNDS = 40
"""Runs of each side, by turns; the fastest counts."""
SHOPS = 16
"""Different shops in a batch: enough for variety, few enough to be certified quickly."""


def require(module: str) -> Any:
    """The module, or the one line that names the extra that brings it."""
    try:
        return import_module(module)
    except ImportError:
        raise ShopError(f"{module} is not installed: uv sync --extra bench") from None


def versus_jumanji(
    counts: tuple[int, ...] = (128, 256, 512, 1024), durations: tuple[int, ...] = (6, 99), rounds: int = ROUNDS
) -> Iterator[dict[str, Any]]:
    """Scheduled operations per second of both, on the same drawn shops, for each longest duration as it is measured.

    Jumanji steps through time, so only operations can be compared. It gets the benefit of every doubt: its random
    policy never idles a machine that has a choice, and its clock stops before any of its episodes is over. Both run on
    all devices (on CPU one per core, see `jaxshop.parallel.mesh`), and of the numbers of environments on each device in
    `counts`, multiples of `SHOPS`, each of the two is judged by its best.
    """
    require("jumanji")
    from jumanji.environments import JobShop as JumanjiJobShop
    from jumanji.environments.packing.job_shop.generator import RandomGenerator

    devices = jax.local_device_count()
    for longest in durations:
        other = JumanjiJobShop(RandomGenerator(JOBS, MACHINES, OPERATIONS, longest))
        shop_keys = jax.random.split(jax.random.PRNGKey(0), SHOPS)
        start, _ = jax.vmap(other.reset)(shop_keys)
        drawn = zip(np.asarray(start.ops_machine_ids), np.asarray(start.ops_durations), strict=True)
        env, shops = make([shop_of(on, ticks, MACHINES) for on, ticks in drawn])
        steps = int(shops.operations.min())
        ours, theirs = [], []
        for count in counts:
            params = _repeated(count)(shops)
            keys = jnp.tile(shop_keys, (count // SHOPS, 1))
            rollout = random_rollout(env, count, steps, stacked=True)
            ours.append((on_devices(rollout), copies((jax.random.key(0), params))))
            theirs.append((on_devices(_jumanji_rollout(other)), copies((keys,))))
        results = race(ours + theirs, rounds)
        our_rate = max(devices * n * steps / seconds for n, (seconds, _) in zip(counts, results, strict=False))
        their_rate = max(int(scheduled.sum()) / seconds for seconds, scheduled in results[len(counts) :])
        yield {
            "work": f"{JOBS} x {MACHINES} x {OPERATIONS}, durations 1 to {longest}",
            "other": "jumanji",
            "devices": devices,
            "environments": [devices * n for n in counts],
            "operations_per_second": our_rate,
            "other_operations_per_second": their_rate,
            "ratio": our_rate / their_rate,
        }


def _repeated(count: int) -> Callable[[EnvParams], EnvParams]:
    """So many environments, last, of stacked shops in turn; one program, as each array's would be another."""
    turn = np.arange(count) % SHOPS
    return jax.jit(lambda shops: environments_last(jax.tree.map(lambda x: x[turn], shops)))


def _jumanji_rollout(env: Any) -> Callable[..., Any]:
    """keys [B] -> operations scheduled by random legal actions until the first episode ends."""

    def run(keys: Any) -> Any:
        def body(carry):
            state, _, t = carry
            words, mask = random_words(seeds, t), state.action_mask
            # The last action of a machine is to wait: taken only where nothing else is legal.
            job = jax.vmap(lambda w, m: jax.vmap(pick, (None, 0))(w, m))(words, mask[..., :-1])
            action = jnp.where(mask[..., :-1].any(axis=-1), job, mask.shape[-1] - 1)
            state, step = jax.vmap(env.step)(state, action)
            return state, step.last().any(), t + 1

        seeds = jax.random.bits(jax.random.key(0), (keys.shape[0],), jnp.uint32)
        state, _ = jax.vmap(env.reset)(keys)
        state, *_ = jax.lax.while_loop(lambda carry: ~carry[1], body, (state, jnp.bool_(False), jnp.int32(0)))
        return (state.scheduled_times >= 0).sum()

    return run


def versus_numba(env: JobShop, params: EnvParams, work: str, count: int, steps: int) -> list[dict[str, Any]]:
    """Operations per second beside a Numba loop that makes the very same decisions, from the same random words.

    Both use every core; ours on one device for each, where they can share the environments evenly.

    Raises:
        ShopError: the two end with different schedules, so that the comparison would mean nothing.
    """
    loop = numba_loop(require("numba"))
    key = jax.random.key(0)
    devices = sharing(count)
    seeds = jax.random.bits(key, (count // devices,), jnp.uint32)
    words = jax.vmap(lambda t: random_words(seeds, t))(jnp.arange(steps))
    words = np.tile(np.asarray(words), (1, devices))
    arguments = (words, *numba_arguments(params))
    estimates, seconds = loop(*arguments), float("inf")  # the first call compiles
    for _ in range(3):
        begun = time.perf_counter()
        estimates = loop(*arguments)
        seconds = min(seconds, time.perf_counter() - begun)
    rollout = on_devices(random_rollout(env, count // devices, steps), devices)
    ours = measure(rollout, *copies((key, params), devices), name="jaxshop")
    assert ours is not None
    if not np.array_equal(estimates, np.ravel(ours.result.estimate)):
        raise ShopError("--versus numba: the loop and the environment disagree on a schedule")
    rate, other = count * steps / ours.seconds, count * steps / seconds
    return [
        {
            "work": work,
            "other": "numba",
            "environments": count,
            "operations_per_second": rate,
            "other_operations_per_second": other,
            "ratio": rate / other,
        }
    ]
