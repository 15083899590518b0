"""Run by test_distributed in a process with 8 devices: one update on 1, 2 and 8 of them; see `main`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import jax
import numpy as np

from jaxshop.parallel.mesh import data_mesh, replicate
from jaxshop.policies.checkpoint import Store
from jaxshop.ppo import update as module
from jaxshop.ppo.rollout import collect
from jaxshop.sources import load_shop
from jaxshop.training.config import load_config
from jaxshop.training.problem import prepare
from jaxshop.training.stages import untrained

DEVICES = (1, 2, 8)


def main(config_path: str, out: str) -> None:
    """Write `N.npz` for each number of devices N into `out`: rollouts, weights, metrics, and how it was run."""
    config = load_config(config_path)
    problem = prepare(load_shop(config.run.shop), config)
    setup, bank = problem.setups["general"], problem.shops["general"]
    first = untrained(config)
    traces = 0

    def improve(learner, shops, mesh):
        """An update, and the rollouts inside it."""
        nonlocal traces
        traces += 1
        played = []

        def spy(*arguments):
            played.append(collect(*arguments))
            return played[0]

        with mock.patch.object(module, "collect", spy):
            return *module.update(replace(setup, mesh=mesh), learner, shops), played[0]

    for devices in DEVICES:
        mesh, traces = data_mesh(devices), 0
        jitted = jax.jit(lambda learner, shops, mesh=mesh: improve(learner, shops, mesh))
        shops = replicate(bank, mesh)
        learner, metrics, (transitions, makespans) = jitted(replicate(first, mesh), shops)
        if devices == DEVICES[-1]:
            Store(Path(out) / "checkpoints").save(1, learner, learner.averaged, {}, 0.0)
        learner = replicate(learner, mesh)  # as the training loop keeps it
        jitted(learner, shops)
        np.savez(
            Path(out) / f"{devices}.npz",
            **{name: np.asarray(x) for name, x in zip(transitions._fields[1:], transitions[1:], strict=True)},
            candidates=np.asarray(transitions.seen.candidate_mask),
            makespans=np.asarray(makespans),
            weights=np.concatenate([np.ravel(x) for x in jax.tree.leaves(learner.weights)]),
            metrics=np.array(jax.tree.leaves(metrics)),
            samples_each=np.array([shard.data.shape[1] for shard in makespans.addressable_shards]),
            traces=traces,
            programs=jitted._cache_size(),
        )

    for devices in DEVICES:
        like = replicate(first, data_mesh(devices))
        restored = Store(Path(out) / "checkpoints", read_only=True).learner(1, like)
        weights = np.concatenate([np.ravel(x) for x in jax.tree.leaves(restored.weights)])
        np.savez(Path(out) / f"restored-{devices}.npz", weights=weights, on=len(restored.update.devices()))


if __name__ == "__main__":
    main(*sys.argv[1:])
