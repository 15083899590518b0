"""One program for one device and for many: which there are, the mesh, and what is spread over it."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from typing import TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxshop.support.machine import usable_cores

AXIS = "data"
"""The mesh's only axis: samples and minibatches are spread over it, parameters and shops are not."""

_ISA = "--xla_cpu_max_isa="
"""XLA's flag; it is read when JAX starts, and no compiler option of a single program takes its place."""

Tree = TypeVar("Tree")


def cap_instructions() -> None:
    """Have XLA compile for AVX2 at most on x86 CPUs; call it before anything starts JAX.

    At the optimisation levels that compile an update soonest LLVM aborts on AVX-512 ("Cannot select ...
    SUBV_BROADCAST_LOAD"). Without effect where the environment names an instruction set.
    """
    if not instructions_capped() and _ISA not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_ISA}AVX2".strip()


def instructions_capped() -> bool:
    """Whether XLA keeps off AVX-512 on this machine, by its flag or since the CPU knows no such thing."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    named = os.environ.get("XLA_FLAGS", "").rpartition(_ISA)[2].split()
    return bool(named) and named[0] in ("SSE4_2", "AVX", "AVX2")


def one_device_per_core(*shared: int) -> None:
    """Make every core a device of JAX's CPU backend, or so many that they divide each of the numbers `shared`.

    What a policy computes for a few hundred decisions is too little to be divided among cores. Without effect
    where devices were counted by hand (`JAX_NUM_CPU_DEVICES`), where JAX runs already, or beside accelerators, which it
    prefers.
    """
    by_hand = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if by_hand or getattr(jax.config, "jax_num_cpu_devices") > 0:  # noqa: B009 - JAX's stubs do not know it
        return
    cores = usable_cores()
    with suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", max(n for n in range(1, cores + 1) if all(s % n == 0 for s in shared)))


def data_mesh(devices: int | None = None) -> Mesh | None:
    """All devices of all processes in a row, or the first `devices` of them; None where that is a single one."""
    row = np.array(jax.devices()[:devices])
    return Mesh(row, (AXIS,)) if row.size > 1 else None


def replicate(tree: Tree, mesh: Mesh | None) -> Tree:
    """Outside jit: copies of every array, to be donated at will, on every device of the mesh (None: on one here)."""

    def copies(x: jax.Array) -> jax.Array:
        if mesh is None:
            return jax.device_put(x, jax.local_devices()[0], may_alias=False)  # `copy` would compile a program a shape
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(copies(jax.random.key_data(x)), impl=jax.random.key_impl(x))
        return jax.make_array_from_process_local_data(NamedSharding(mesh, PartitionSpec()), np.array(x))

    return jax.tree.map(copies, tree)


def local(tree: Tree) -> Tree:
    """Outside jit: this process's own copy of replicated arrays, on one device."""
    return jax.tree.map(lambda x: x.addressable_shards[0].data, tree)


def device_name() -> str:
    """What this program computes on, in words."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        return f"{os.cpu_count()} CPU cores ({platform.machine()}), {jax.device_count()} of JAX's devices"
    return f"{jax.device_count()} x {device.device_kind}"
