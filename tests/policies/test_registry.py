"""Networks by name: who knows their classes, and what is said of an unknown one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import jaxshop
from jaxshop.env import Observation
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.support.settings import ConfigError
from jaxshop.training.config import load_config

PACKAGE = Path(jaxshop.__file__).parent


def test_nothing_but_the_registry_names_a_network_s_module():
    """Shows that no module past the networks themselves, and no test, imports a concrete network."""
    named = re.compile(r"^\s*(from|import) .*networks", re.MULTILINE)
    files = [*PACKAGE.rglob("*.py"), *Path(__file__).parents[1].rglob("*.py")]
    outside = [file for file in files if file.parent.name != "networks"]
    assert [file for file in outside if named.search(file.read_text())] == []


def test_an_unknown_kind_is_refused_in_one_line():
    """Shows that the line says where, what is known and what was given."""
    with pytest.raises(
        ConfigError, match=r"^overrides: network\.kind: must be one of pooled, gated, attention, not 'deep'$"
    ):
        load_config(None, ["network.kind=deep"])


def test_configs_need_no_jax():
    """Shows that the registry is imported, and a kind refused, without JAX."""
    script = (
        "import sys\n"
        "from jaxshop.policies.registry import NetworkConfig\n"
        "from jaxshop.training.config import load_config\n"
        "load_config(None, ['network.width=8'])\n"
        "print({'jax', 'flax'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_equal_configs_give_equal_networks():
    """Shows that a network can be a static argument: what is compiled for one serves its equals."""
    one, same, other = (make_network(NetworkConfig(width=width)) for width in (8, 8, 16))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


def test_what_is_stored_gives_the_same_decision():
    """Shows that less than the observation is stored, can be cut, and comes back in the network's own dtypes."""
    network = make_network(NetworkConfig(width=8))
    obs = Observation(
        jnp.ones(6, bool), jnp.arange(4), jnp.array([True, True, False, False]), jnp.ones((4, 3)), jnp.ones(2)
    )
    stored = network.stored(obs)
    assert sum(x.nbytes for x in jax.tree.leaves(stored)) < sum(x.nbytes for x in jax.tree.leaves(obs))
    few = network.narrowed(stored, 2)
    assert few.candidate_mask.tolist() == [True, True]
    weights = jax.jit(network.initialise)(jax.random.key(0), obs)
    whole, cut = (jax.jit(network.apply)(weights, network.restored(x)) for x in (stored, few))
    assert whole.logits.dtype == jnp.float32
    assert jnp.allclose(whole.logits[:2], cut.logits, atol=1e-6)
    assert jnp.allclose(whole.value, cut.value, atol=1e-6)
