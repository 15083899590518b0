"""Who takes part in a run, and that a rollout and an update do not depend on how many devices share them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from jaxshop.distributed import Cluster, find_cluster, first_host
from jaxshop.shop import ShopError

EXPLICIT = {"JAXSHOP_COORDINATOR": "a:1", "JAXSHOP_PROCESSES": "2", "JAXSHOP_PROCESS": "1"}
SLURM = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "gpu[03-05]", "SLURM_PROCID": "3"}
KUBERNETES = {
    "JAXSHOP_SERVICE": "train",
    "JAXSHOP_JOB": "shop",
    "JAXSHOP_PROCESSES": "2",
    "JOB_COMPLETION_INDEX": "0",
}


@pytest.mark.parametrize(
    ("environ", "cluster"),
    [
        ({}, None),
        ({"SLURM_STEP_NUM_TASKS": "1"}, None),
        (EXPLICIT, Cluster("a:1", 2, 1)),
        (SLURM, Cluster("gpu03:12321", 4, 3)),
        (SLURM | {"JAXSHOP_PORT": "77"}, Cluster("gpu03:77", 4, 3)),
        (SLURM | EXPLICIT, Cluster("a:1", 2, 1)),
        (KUBERNETES, Cluster("shop-0.train:12321", 2, 0)),
    ],
)
def test_cluster_is_found(environ, cluster):
    """Shows each launcher's variables, what wins, and that one process alone is no cluster."""
    assert find_cluster(environ) == cluster


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"JAXSHOP_COORDINATOR": "a:1"}, "JAXSHOP_PROCESSES"),
        (EXPLICIT | {"JAXSHOP_PROCESS": "2"}, "JAXSHOP_PROCESS=2"),
        (EXPLICIT | {"JAXSHOP_COORDINATOR": "a"}, "host:port"),
        (SLURM | {"SLURM_PROCID": "x"}, "SLURM_PROCID"),
        ({"JAXSHOP_SERVICE": "train"}, "JAXSHOP_JOB"),
    ],
)
def test_bad_cluster_is_named(environ, named):
    """Shows that a missing or senseless variable is an error that names it."""
    with pytest.raises(ShopError, match=named):
        find_cluster(environ)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("a", "a"),
        ("a,b", "a"),
        ("n[1,3]", "n1"),
        ("gpu[03-05,9],x", "gpu03"),
        ("a,n[1-2]", "a"),
        ("n[1-2]-ib", "n1-ib"),
    ],
)
def test_first_host_of_a_slurm_list(nodes, first):
    """Shows the compressed lists that SLURM writes."""
    assert first_host(nodes) == first


PROGRAM = """
import json, sys
import jax, jax.numpy as jnp, numpy as np

from jaxshop.distributed import data_mesh, replicate, spread
from jaxshop.env import make
from jaxshop.env.observe import CONTEXT, FEATURES
from jaxshop.policies.network import Network, initial_weights
from jaxshop.ppo.rollout import collect
from jaxshop.profiling.sweep import job_shop

assert jax.device_count() == 8
env, shops = make([job_shop(4, 3, 3, 9, seed=s) for s in range(8)])
network = Network(8, 1)
weights = initial_weights(network, jax.random.key(0), FEATURES, CONTEXT)
found = []
for devices in (1, 2, 8):
    mesh = data_mesh(devices)

    @jax.jit
    def run(weights, shops):
        transitions, makespans = collect(env, network, weights, spread(shops, mesh), 2, jax.random.key(1))
        normal = transitions.reward - transitions.reward.mean()
        return transitions.action, makespans, jnp.sqrt(jnp.square(normal).mean())

    action, makespans, scale = run(replicate(weights, mesh), replicate(shops, mesh))
    found.append([np.asarray(action).tolist(), np.asarray(makespans).tolist(), float(scale), len(makespans.devices())])
print(json.dumps(found))
"""


def test_rollouts_do_not_depend_on_the_number_of_devices():
    """Shows the same actions and makespans bit for bit on 1, 2 and 8 devices, and a global scale within 1e-6."""
    environ = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr[-2000:]
    one, two, eight = json.loads(run.stdout)
    assert one[:2] == two[:2] == eight[:2]
    assert two[2] == pytest.approx(one[2], rel=1e-6)
    assert eight[2] == pytest.approx(one[2], rel=1e-6)
    assert [one[3], two[3], eight[3]] == [1, 2, 8]
