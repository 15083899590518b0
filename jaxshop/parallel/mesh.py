"""One program for one device, many devices and many hosts: who takes part, the mesh, and what is spread over it."""

from __future__ import annotations

import atexit
import hashlib
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxshop.support.errors import ShopError
from jaxshop.support.machine import usable_cores

AXIS = "data"
"""The mesh's only axis: samples and minibatches are spread over it, parameters and shops are not."""
PORT = 12321
"""Where the first process listens, unless the environment says otherwise."""
SILENCE = 30
"""Seconds without a sign of life after which the other processes give a process up and end."""

_SIGNS_OF_LOSS = ("Gloo", "NCCL", "UNAVAILABLE", "heartbeat")
"""What is in the messages of collectives whose other end is gone; they come as several types of exception."""
_ISA = "--xla_cpu_max_isa="
"""XLA's flag; it is read when JAX starts, and no compiler option of a single program takes its place."""
_LONGEST = 4096
"""Bytes of a path, at most."""

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Cluster:
    """The processes of one run; number `index` of `count`."""

    coordinator: str  # host:port of process 0
    count: int
    index: int


def find_cluster(environ: Mapping[str, str]) -> Cluster | None:
    """The cluster that the environment describes, or None for a single process.

    In this order: `JAXSHOP_COORDINATOR` (host:port), `JAXSHOP_PROCESSES` and `JAXSHOP_PROCESS`; a SLURM job step; an
    indexed Kubernetes job whose pods share the headless service named in `JAXSHOP_SERVICE`.

    Raises:
        ShopError: names the variable that is missing or makes no sense.
    """
    if "JAXSHOP_COORDINATOR" in environ:
        return _checked(environ, environ["JAXSHOP_COORDINATOR"], "JAXSHOP_PROCESSES", "JAXSHOP_PROCESS")
    port = environ.get("JAXSHOP_PORT", str(PORT))
    if environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        first = first_host(_required(environ, "SLURM_STEP_NODELIST"))
        return _checked(environ, f"{first}:{port}", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
    if "JAXSHOP_SERVICE" in environ:
        # A pod of an indexed job is called <job>-<index>; the job's name stands before the last dash.
        job = _required(environ, "JAXSHOP_JOB")
        coordinator = f"{job}-0.{environ['JAXSHOP_SERVICE']}:{port}"
        return _checked(environ, coordinator, "JAXSHOP_PROCESSES", "JOB_COMPLETION_INDEX")
    return None


def first_host(nodes: str) -> str:
    """The first host of a SLURM list: `gpu[03-05,9],login` is `gpu03`."""
    prefix, bracket, rest = nodes.partition("[")
    if not bracket or "," in prefix:
        return nodes.partition(",")[0]
    inside, _, after = rest.partition("]")
    number = inside.partition(",")[0].partition("-")[0]
    return prefix + number + after.partition(",")[0]


@contextmanager
def membership(environ: Mapping[str, str]) -> Iterator[None]:
    """Take part in the cluster that the environment describes, if any; enter before anything touches a device.

    At the end each process waits for the others: the first has schedules to write while the rest are done.

    Raises:
        ShopError: another process was lost. One that dies is noticed at once where its connections close, else after
            `SILENCE` seconds, when JAX's runtime ends this process itself.
    """
    cluster = find_cluster(environ)
    if cluster is None:
        yield
        return
    jax.config.update("jax_enable_preemption_service", False)  # training handles signals itself
    jax.distributed.initialize(
        cluster.coordinator,
        cluster.count,
        cluster.index,
        cluster_detection_method="deactivate",  # under SLURM it would give each process one device of its node only
        heartbeat_timeout_seconds=SILENCE,
        shutdown_timeout_seconds=SILENCE,
    )
    try:
        with _quiet_stdout():
            multihost_utils.sync_global_devices("the beginning")
        yield
        multihost_utils.sync_global_devices("the end")
    except ShopError:
        raise
    except Exception as error:
        atexit.register(_leave)
        if not any(sign in str(error) for sign in _SIGNS_OF_LOSS):
            raise
        raise ShopError(
            f"process {cluster.index} of {cluster.count}: another process was lost, see what it said; "
            f"then start all again, with --resume: {str(error).splitlines()[0]}"
        ) from None


@contextmanager
def _quiet_stdout() -> Iterator[None]:
    """Send what libraries write to stdout (gloo greets every process there) to stderr: our stdout may carry JSON."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _leave() -> None:
    """End without JAX's farewell, which would wait for a process that was lost, or be waited for while broken."""
    sys.stdout.flush()
    os._exit(1)


def leads() -> bool:
    """Whether this process is the one that writes files and prints."""
    return jax.process_index() == 0


def from_leader(make: Callable[[], str]) -> str:
    """What `make` gives in the process that leads, the only one that calls it; at most `_LONGEST` bytes."""
    if jax.process_count() == 1:
        return make()
    text = make().encode() if leads() else b""
    sent = multihost_utils.broadcast_one_to_all(np.frombuffer(text.ljust(_LONGEST, b"\0"), np.uint8))
    return bytes(sent).rstrip(b"\0").decode()


def check_agreement(tree: Any, what: str) -> None:
    """Refuse to go on when the processes hold different numbers or words where all must hold the same.

    Raises:
        ShopError: in every process.
    """
    if jax.process_count() == 1:
        return
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        digest.update(leaf.encode() if isinstance(leaf, str) else np.asarray(leaf).tobytes())
    digests = multihost_utils.process_allgather(np.frombuffer(digest.digest(), np.uint8))
    if (digests != digests[0]).any():
        raise ShopError(f"the processes do not have the same {what}")


def largest(*numbers: int) -> tuple[int, ...]:
    """The largest of each number over all processes, so that all decide alike; every process must call it."""
    if jax.process_count() == 1:
        return numbers
    return tuple(int(x) for x in multihost_utils.process_allgather(np.array(numbers, np.int32)).max(axis=0))


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

    What a policy computes for a few hundred decisions is too little to be divided among cores: a product of
    2,048 x 64 by 64 x 64 takes longer on two threads than on one. Without effect where devices were counted by hand
    (`JAX_NUM_CPU_DEVICES`), where JAX runs already, or beside accelerators, which it prefers.
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
            return jax.device_put(x.copy(), jax.local_devices()[0])
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(copies(jax.random.key_data(x)), impl=jax.random.key_impl(x))
        return jax.make_array_from_process_local_data(NamedSharding(mesh, PartitionSpec()), np.array(x))

    return jax.tree.map(copies, tree)


def local(tree: Tree) -> Tree:
    """Outside jit: this process's own copy of replicated arrays, on one device."""
    return jax.tree.map(lambda x: x.addressable_shards[0].data, tree)


def _required(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise ShopError(f"{name} is not set: it is needed to join the other processes")
    return environ[name]


def _checked(environ: Mapping[str, str], coordinator: str, count_name: str, index_name: str) -> Cluster:
    count, index = (_required(environ, name) for name in (count_name, index_name))
    if not (count.isdecimal() and index.isdecimal() and int(index) < int(count)):
        raise ShopError(f"{index_name}={index} must be an integer from 0 to {count_name}={count} less 1")
    host, _, port = coordinator.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65536):
        raise ShopError(f"coordinator {coordinator!r}: must be host:port")
    return Cluster(coordinator, int(count), int(index))
