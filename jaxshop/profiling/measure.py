"""Compile once, run often, and keep the two apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxshop.parallel.mesh import AXIS


class Measured(NamedTuple):
    """A program's times and memory, and what its last run returned."""

    compile_seconds: float
    seconds: float  # the fastest run, blocked on
    peak_bytes: int  # arguments, results and temporaries, by XLA's own plan
    passed_bytes: int  # arguments and results alone
    result: Any
    program: Callable[..., Any]


def measure(
    function: Callable[..., Any],
    *args: Any,
    repeats: int = 3,
    at_most: int | None = None,
    name: str = "run",
    compiler_options: dict[str, Any] | None = None,
    trace: str | None = None,
) -> Measured | None:
    """Compile `function` for `args` and time it; in a profiler's trace the runs are called `name`.

    The fastest of the runs is kept: whatever else the machine does only ever adds time. With a folder for a `trace`
    there is one run, which is traced, without its compilation: a compiler's events are many times as many.

    Returns:
        None, without a run, where the program needs more than `at_most` bytes.
    """
    begun = time.perf_counter()
    program = jax.jit(function, compiler_options=compiler_options).lower(*args).compile()
    compiled = time.perf_counter() - begun
    peak = peak_bytes(program)
    if at_most is not None and peak > at_most:
        return None
    jax.block_until_ready(args)
    result, times = None, []
    with traced(trace):
        for _ in range(1 if trace else repeats):
            begun = time.perf_counter()
            with jax.profiler.TraceAnnotation(name):
                result = jax.block_until_ready(program(*args))
            times.append(time.perf_counter() - begun)
    return Measured(compiled, min(times), peak, passed_bytes(program), result, program)


def traced(folder: str | None) -> AbstractContextManager[None]:
    """A profiler trace without Python's own calls: they made it 9 times as large, and pushed the phases out of it."""
    if folder is None:
        return nullcontext()
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    return jax.profiler.trace(folder, profiler_options=options)


def race(programs: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]], rounds: int) -> list[tuple[float, Any]]:
    """Run jitted or compiled programs with their arguments by turns, for the fastest seconds and a result of each.

    By turns, since a machine that does other work, too, is at times twice as slow for many seconds. A first run of
    each, which may compile, is not timed.
    """
    results = [jax.block_until_ready(program(*args)) for program, args in programs]
    fastest = [float("inf")] * len(programs)
    for _ in range(rounds):
        for i, (program, args) in enumerate(programs):
            begun = time.perf_counter()
            jax.block_until_ready(program(*args))
            fastest[i] = min(fastest[i], time.perf_counter() - begun)
    return list(zip(fastest, results, strict=True))


def sharing(count: int) -> int:
    """The devices that share so many environments: all, or one where all cannot share them evenly."""
    return 1 if count % jax.local_device_count() else jax.local_device_count()


def on_devices(function: Callable[..., Any], devices: int | None = None) -> Callable[..., Any]:
    """A jitted program that runs `function` on so many devices at once (None: all), each with arguments of its own.

    Arguments and results have a leading axis of devices; `copies` makes them.
    """

    def one(*args: Any) -> Any:
        return jax.tree.map(lambda x: x[None], function(*jax.tree.map(lambda x: x[0], args)))

    spec = PartitionSpec(AXIS)
    return jax.jit(jax.shard_map(one, mesh=_local_mesh(devices), in_specs=spec, out_specs=spec, check_vma=False))


def copies(tree: Any, devices: int | None = None) -> Any:
    """The same arrays for each of so many devices (None: all)."""
    mesh = _local_mesh(devices)
    count, spread = mesh.size, NamedSharding(mesh, PartitionSpec(AXIS))
    stack = jax.jit(lambda each: jax.tree.map(lambda x: jnp.stack([x] * count), each))  # leaf by leaf: a program each
    return jax.device_put(stack(tree), spread)


def _local_mesh(devices: int | None) -> Mesh:
    return Mesh(np.array(jax.local_devices()[:devices]), (AXIS,))


def passed_bytes(program: Any) -> int:
    """Bytes of a compiled program's arguments and results; 0 where the backend does not tell."""
    plan = program.memory_analysis()
    return 0 if plan is None else plan.argument_size_in_bytes + plan.output_size_in_bytes


def peak_bytes(program: Any) -> int:
    """Bytes that a compiled program holds at its peak; 0 where the backend does not tell."""
    plan = program.memory_analysis()
    if plan is None:
        return 0
    return plan.argument_size_in_bytes + plan.output_size_in_bytes + plan.temp_size_in_bytes - plan.alias_size_in_bytes
