"""What `benchmarks/gpu.py` measures: a function a row, which yields results.

Every row is a process of its own, so each imports what it needs when it is run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gpu_sizes import Sizes

ROOT = Path(__file__).resolve().parents[1]

Result = dict[str, Any]

UNROLLED = 4
"""Steps that a loop takes at a time where rows try more than one."""


class Row(NamedTuple):
    """A process, what it yields, and its time limit in seconds."""

    name: str
    run: Callable[[Sizes], Iterator[Result]] | None  # None: the training run, which this process watches
    limit: float
    kept: float = 0.0  # seconds that the rows before leave to it


def machine() -> Result:
    """What is measured on."""
    import platform

    import jax
    import jaxlib

    from jaxshop.parallel.mesh import device_name

    device = jax.devices()[0]
    stats = device.memory_stats() or {}
    return {
        "device": device_name(),
        "platform": device.platform,
        "backend": str(getattr(device.client, "platform_version", "")).splitlines()[:1],
        "memory_bytes": stats.get("bytes_limit"),
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }


def selftest(sizes: Sizes) -> Iterator[Result]:
    """Every shop of the self-test, over all devices; the first line says what the machine is.

    A device that computes right and compiles slowly is not to fail: what was not begun in time is left out by number.
    """
    from jaxshop.policies.selftest import selftest as play
    from jaxshop.policies.selftest.compare import PLAYERS
    from jaxshop.policies.selftest.shops import SHOPS

    yield machine()
    begun = time.monotonic()
    found = list(play(short=True, limit=sizes.selftest))
    wrong = [f"{each.case}: {each.detail}" for each in found if not each.agrees]
    left_out = len(SHOPS) * len(PLAYERS) - len(found)
    seconds = time.monotonic() - begun
    yield {"agrees": not wrong, "cases": len(found), "not_begun": left_out, "differ": wrong, "seconds": seconds}


def random_small(sizes: Sizes) -> Iterator[Result]:
    """Random play of a small job shop: environments at the end of every array, and the same by `vmap`."""
    import jax
    import jax.numpy as jnp

    from jaxshop.env import environments_last, make
    from jaxshop.profiling.sweep import job_shop
    from jaxshop.profiling.workloads import random_rollout

    env, params = make(job_shop(*sizes.small_shop, 6))
    for count in sizes.many:

        def repeated(one: Any, n: int = count) -> Any:
            return environments_last(jax.tree.map(lambda x: jnp.broadcast_to(x, (n, *x.shape)), one))

        stacked = jax.jit(repeated)(params)  # array by array, a GPU's compiler would make dozens of programs
        last = random_rollout(env, count, sizes.steps, stacked=True)
        yield {"layout": "environments last", **_rate(last, (jax.random.key(0), stacked), count, sizes.steps)}
        shared = random_rollout(env, count, sizes.steps)
        yield {"layout": "vmap", **_rate(shared, (jax.random.key(0), params), count, sizes.steps)}


def random_reference(sizes: Sizes) -> Iterator[Result]:
    """Random play of the reference shop, at last with several steps at a time."""
    import jax

    from jaxshop.profiling.workloads import random_rollout

    env, params = _shop(sizes)
    for count, unroll in [*((n, 1) for n in sizes.reference), (sizes.unrolled, UNROLLED)]:
        run = random_rollout(env, count, sizes.steps, unroll=unroll)
        yield {"unrolled": unroll, **_rate(run, (jax.random.key(0), params), count, sizes.steps)}


def random_kernel(sizes: Sizes) -> Iterator[Result]:
    """Random play of both with whole episodes in one kernel, and whether its schedules are those of XLA's kernels."""
    import jax
    import numpy as np

    from jaxshop.env import make
    from jaxshop.profiling.sweep import job_shop
    from jaxshop.profiling.workloads import kernel_rollout, random_rollout

    for name, (env, params) in {"small": make(job_shop(*sizes.small_shop, 6)), "reference": _shop(sizes)}.items():
        steps, key = int(params.operations), jax.random.key(0)
        for count in sizes.kernel:
            rate, played = _rated(kernel_rollout(env, count, steps), (key, params), count, steps)
            yield {"shop": name, "steps": steps, **rate}
            if count == min(sizes.kernel):
                same = jax.jit(random_rollout(env, count, steps))(key, params)
                theirs = same.start.T, same.machine.T, same.estimate
                yield {"shop": name, "agrees": all(np.array_equal(*pair) for pair in zip(played, theirs, strict=True))}


def acting(sizes: Sizes, dtype: str = "float32") -> Iterator[Result]:
    """Play by the network on the reference shop, at last with several steps at a time."""
    import jax

    from jaxshop.policies.registry import NetworkConfig, make_network
    from jaxshop.profiling.workloads import policy_rollout

    env, params = _shop(sizes)
    network = make_network(NetworkConfig(dtype=dtype))
    weights = jax.jit(network.initialise)(jax.random.key(0))
    for count, unroll in [*((n, 1) for n in sizes.acting), (sizes.unrolled, UNROLLED)]:
        run = policy_rollout(env, network, count, sizes.acting_steps, unroll)
        rate = _rate(run, (jax.random.key(0), params, weights), count, sizes.acting_steps)
        yield {"candidates": env.shape.candidates, "dtype": dtype, "unrolled": unroll, **rate}


def acting_bfloat16(sizes: Sizes) -> Iterator[Result]:
    """The same by a network that computes in bfloat16."""
    yield from acting(sizes, "bfloat16")


def update_general(sizes: Sizes) -> Iterator[Result]:
    """An update of gpu.toml's first stage, and the network's own passes."""
    yield _update(sizes, "general")


def update_bfloat16(sizes: Sizes) -> Iterator[Result]:
    """The same with a network that computes in bfloat16."""
    yield _update(sizes, "general", "network.dtype=bfloat16")


def update_full(sizes: Sizes) -> Iterator[Result]:
    """An update on shops of the factory's size."""
    yield _update(sizes, "full")


def update_parts(sizes: Sizes) -> Iterator[Result]:
    """The same, minibatches learned from in parts that are as wide as their decisions need."""
    yield _update(sizes, "full", "ppo.microbatch=4096")


def memory(sizes: Sizes) -> Iterator[Result]:
    """What episodes of the reference take with stored observations: computed, and XLA's plan of the rollout."""
    from functools import partial

    import jax

    from jaxshop.policies.registry import NetworkConfig, make_network
    from jaxshop.ppo.config import PPOConfig, StageConfig
    from jaxshop.ppo.memory import experience_bytes
    from jaxshop.ppo.rollout import collect
    from jaxshop.ppo.setup import Setup
    from jaxshop.profiling.measure import peak_bytes

    env, params = _shop(sizes)
    network = make_network(NetworkConfig())
    weights = jax.jit(network.initialise)(jax.random.key(0))
    shops = jax.tree.map(lambda x: x[None], params)
    for count in sizes.stored:
        setup = Setup(env, network, PPOConfig(), StageConfig(1, 1, count, env.shape.candidates))
        program = jax.jit(partial(collect, setup)).lower(weights, shops, jax.random.key(0)).compile()
        yield {
            "environments": count,
            "computed_bytes": experience_bytes(setup),
            "planned_bytes": peak_bytes(program),
        }


def breeding(sizes: Sizes) -> Iterator[Result]:
    """The best of so many schedules of the shipped policy: bred by the method `evolve`, and drawn."""
    from functools import partial

    import jax
    import jax.numpy as jnp

    from jaxshop.policies.checkpoint import load_policy
    from jaxshop.profiling.measure import measure
    from jaxshop.search.breeding import generation, nobody
    from jaxshop.search.compiled import program

    env, params = _shop(sizes)
    policy, (count, generations) = load_policy(), sizes.bred
    key, elite, bound = jax.random.key(0), nobody(env, count), int(params.bound)

    def told(method: str, costs: list[int], seconds: float) -> Result:
        rate = count * int(params.operations) / seconds
        best = {"percent": 100 * (min(costs) / bound - 1), "first_percent": 100 * (costs[0] / bound - 1)}
        return {"method": method, "schedules": count * generations, **best, "operations_per_second": rate}

    breed = partial(generation, env, policy.network, count)
    bred = measure(breed, policy.weights, params, elite, key, repeats=1)
    assert bred is not None
    costs = []
    for number in range(generations):
        elite, best = bred.program(policy.weights, params, elite, jax.random.fold_in(key, number))
        costs.append(int(best.cost))
    yield told("evolve", costs, bred.seconds)
    draw, end = program("samples", env, policy.network, count), jnp.int32(count * generations)
    drawn = measure(draw, policy.weights, params, key, jnp.int32(0), end, repeats=1)
    assert drawn is not None
    begins = [jnp.int32(count * number) for number in range(generations)]
    costs = [int(drawn.program(policy.weights, params, key, begin, end)[0].cost) for begin in begins]
    yield told("samples", costs, drawn.seconds)


def jumanji(sizes: Sizes) -> Iterator[Result]:
    """The same work in Jumanji's job shop, where it is installed."""
    from importlib.util import find_spec

    from jaxshop.profiling.versus import versus_jumanji

    if find_spec("jumanji") is None:
        yield {"left_out": "jumanji is not installed"}
        return
    yield from versus_jumanji(sizes.versus, rounds=sizes.versus_rounds)


ROWS = (
    Row("selftest", selftest, 80),
    Row("random play, 20 x 10 x 8", random_small, 50),
    Row("random play, reference", random_reference, 50),
    Row("random play, an episode in one kernel", random_kernel, 50),
    Row("play by the network, reference", acting, 50),
    Row("update, first stage", update_general, 60),
    Row("update, factory's size", update_full, 60),
    Row("against Jumanji", jumanji, 60),
    Row("target, cold cache, and two minutes of training", None, 170, kept=120),
    Row("target, warm cache", None, 40, kept=25),
    Row("memory with stored observations", memory, 40),
    Row("play by the network, reference, bfloat16", acting_bfloat16, 50),
    Row("update, first stage, bfloat16", update_bfloat16, 60),
    Row("update, factory's size, in parts", update_parts, 75),
    Row("search, bred against drawn", breeding, 60),
)
"""First those of which something is asked, in issue and docs; then those that say what might pay."""


def _shop(sizes: Sizes) -> tuple[Any, Any]:
    import jaxshop
    from jaxshop.env import make
    from jaxshop.shop import split_lots

    hours = 60.0 if sizes.shop == "reference" else None
    return make(split_lots(jaxshop.load_shop(sizes.shop), hours), candidates=48)


def _rate(run: Callable[..., Any], arguments: tuple[Any, ...], count: int, steps: int) -> Result:
    return _rated(run, arguments, count, steps)[0]


def _rated(run: Callable[..., Any], arguments: tuple[Any, ...], count: int, steps: int) -> tuple[Result, Any]:
    """The rate, and what was played."""
    from jaxshop.profiling.measure import measure

    measured = measure(run, *arguments)
    assert measured is not None
    rate = {
        "environments": count,
        "operations_per_second": count * steps / measured.seconds,
        "microseconds_per_step": 1e6 * measured.seconds / steps,
        "compile_seconds": measured.compile_seconds,
        "bytes_per_environment": measured.peak_bytes / count,
    }
    return rate, measured.result


def _update(sizes: Sizes, stage: str, *overrides: str) -> Result:
    import jax

    from jaxshop.policies.registry import make_network
    from jaxshop.profiling.phases import timed_update
    from jaxshop.training.config import load_config

    config = load_config(ROOT / "configs" / "gpu.toml", (*sizes.update, *overrides))
    lesson = next(lesson for lesson in config.lessons() if lesson.name == stage)
    network = make_network(config.network)
    timed = timed_update(config, lesson, network, jax.jit(network.initialise)(jax.random.key(0)), rounds=5)
    operations = int(timed.measured.result[1].steps)
    return {
        "environments": lesson.settings.shops * lesson.settings.samples,
        "dtype": config.network.dtype,
        "microbatch": config.ppo.microbatch,
        "operations_per_second": operations / timed.measured.seconds,
        "seconds": timed.measured.seconds,
        "network_ratio": timed.measured.seconds / timed.network_seconds,
        "compile_seconds": timed.measured.compile_seconds,
        "peak_bytes": timed.measured.peak_bytes,
    }
