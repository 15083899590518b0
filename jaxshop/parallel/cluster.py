"""Several processes as one: who takes part, what they agree on, and what happens when one is lost."""

from __future__ import annotations

import atexit
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxshop.support.errors import ShopError

Tree = TypeVar("Tree")

PORT = 12321
"""Where the first process listens, unless the environment says otherwise."""
SILENCE = 30
"""Seconds without a sign of life after which the other processes give a process up and end."""

_SIGNS_OF_LOSS = ("Gloo", "NCCL", "UNAVAILABLE", "heartbeat")
"""What is in the messages of collectives whose other end is gone; they come as several types of exception."""
_LONGEST = 4096
"""Bytes of a path, at most."""


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
            _meet()
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


def _meet() -> None:
    """Add up something over all devices: gloo greets anew for every set of them, and the sync was of one a process."""
    by_device = NamedSharding(Mesh(np.array(jax.devices()), ("all",)), PartitionSpec("all"))
    ones = jax.make_array_from_process_local_data(by_device, np.ones(jax.local_device_count(), np.int32))
    jax.block_until_ready(jax.jit(jnp.sum)(ones))


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


def of_leader(tree: Tree) -> Tree:
    """Arrays as the process that leads has them, which all call it."""
    return tree if jax.process_count() == 1 else cast(Tree, multihost_utils.broadcast_one_to_all(tree))


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
