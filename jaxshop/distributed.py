"""One program for one device, many devices and many hosts: who takes part, the mesh, and what is spread over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxshop.shop import ShopError

AXIS = "data"
"""The mesh's only axis: environments are spread over it, parameters are not."""
PORT = 12321
"""Where the first process listens, unless the environment says otherwise."""
SILENCE = 30
"""Seconds without a sign of life after which the other processes give a process up and end."""

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


def initialise(environ: Mapping[str, str]) -> Cluster | None:
    """Join the cluster that the environment describes; before anything else touches a device.

    A process that dies is noticed within `SILENCE` seconds; JAX's runtime then ends the others with an error.
    """
    cluster = find_cluster(environ)
    if cluster is not None:
        jax.distributed.initialize(cluster.coordinator, cluster.count, cluster.index, heartbeat_timeout_seconds=SILENCE)
    return cluster


def data_mesh(devices: int | None = None) -> Mesh:
    """All devices of all processes in a row, or the first `devices` of them."""
    return Mesh(np.array(jax.devices()[:devices]), (AXIS,))


def spread(tree: Tree, mesh: Mesh | None) -> Tree:
    """Inside jit: lay the leading axis of every array over the mesh; without a mesh nothing changes.

    Everything computed from them follows. Sums over the axis are global by construction: XLA adds across devices.
    """
    if mesh is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, PartitionSpec(AXIS)))


def replicate(tree: Tree, mesh: Mesh | None) -> Tree:
    """Outside jit: put a copy of every array on every device of the mesh."""
    return tree if mesh is None else jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


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
