"""Weights that imitate search: where a policy is once it decides as near-optimal schedules of its training shops do.

uv run benchmarks/imitation.py FOLDER [KEY=VALUE...]     # configs/generalist.toml with overrides; for run.start_from

Every shop of the mix is searched on for some pieces of work, and then played: of the candidates that one goes first
which starts first in the schedule found. The network learns these choices by cross-entropy.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams, JobShop
from jaxshop.env.packing import pack_stacked, shape_of
from jaxshop.policies.checkpoint import export_policy, versions
from jaxshop.policies.registry import make_network
from jaxshop.policies.types import Network
from jaxshop.search.auto import improving
from jaxshop.search.types import Stop, Task
from jaxshop.shop import LotPlan, split_lots
from jaxshop.sources.distribution import draw_shop
from jaxshop.training.config import BankConfig, Config, load_config, to_dict
from jaxshop.training.shops import MIX

WORK, EPOCHS, MINIBATCH, RATE = 100, 20, 512, 4e-3


class Choices(NamedTuple):
    """Decisions of a bank's episodes, one after the other."""

    seen: Any  # what the network stores of them, [B, ...]
    action: Array  # int32 [B] index of the candidate
    real: Array  # bool [B] False once an episode is over


def plans(bank: BankConfig, seed: int) -> list[LotPlan]:
    """The shops that a run of this seed trains on."""
    drawn = (draw_shop([MIX, seed, i], bank.makes[i % len(bank.makes)], bank.operations) for i in range(bank.count))
    return [split_lots(shop, None) for shop in drawn]


def planned_starts(plan: LotPlan, operations: int) -> np.ndarray:
    """When a searched schedule starts each operation, int32 [operations], in flat route order."""
    *_, best = improving().search(Task.of(plan), 0, Stop(work=WORK))
    starts = {(row.job, row.lot, row.operation): row.start for row in best.schedule.rows}
    flat = [starts[lot.job, lot.index, operation.id] for lot in plan.lots for operation in lot.operations]
    return np.pad(np.asarray(flat, np.int32), (0, operations - len(flat)))


def watch(env: JobShop, network: Network, shops: EnvParams, starts: Array) -> Choices:
    """Play the stacked shops by the starts planned for them, int32 [S, N]."""
    key = jax.random.key(0)

    def episode(params: EnvParams, planned: Array) -> Choices:
        def body(state: Any, _: None) -> tuple[Any, Choices]:
            obs = env.get_obs(state, params)
            due = jnp.where(obs.candidate_mask, planned[state.lots.op[obs.candidates]], 2**30)
            action, alive = due.argmin(), state.step < params.operations
            state = env.advance(key, state, obs.candidates[action], params)[0]
            return state, Choices(network.stored(obs), action, alive)

        return jax.lax.scan(body, env.begin(key, params), None, env.shape.operations)[1]

    played = jax.jit(jax.vmap(episode))(shops, starts)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), played)


def imitate(network: Network, weights: ArrayTree, banks: list[Choices], key: PRNGKey) -> tuple[ArrayTree, list[float]]:
    """Weights that choose as was watched, and the mean loss of each epoch; every step learns from all banks."""
    steps = min(int(bank.action.shape[0]) for bank in banks) // MINIBATCH
    optimiser = optax.chain(
        optax.clip_by_global_norm(0.5), optax.adam(optax.linear_schedule(RATE, 0.0, EPOCHS * steps))
    )

    def loss(weights: ArrayTree, parts: list[Choices]) -> Array:
        def of(part: Choices) -> Array:
            logits = network.apply(weights, network.restored(part.seen)).logits
            each = optax.softmax_cross_entropy_with_integer_labels(logits, part.action)
            return (each * part.real).sum() / jnp.maximum(part.real.sum(), 1)

        return jnp.stack([of(part) for part in parts]).mean()

    def step(carry: Any, rows: list[Array]) -> tuple[Any, Array]:
        weights, state = carry
        parts = [jax.tree.map(lambda x, r=r: x[r], bank) for bank, r in zip(banks, rows, strict=True)]
        value, gradient = jax.value_and_grad(loss)(weights, parts)
        change, state = optimiser.update(gradient, state, weights)
        return (optax.apply_updates(weights, change), state), value

    @jax.jit
    def epoch(carry: Any, key: PRNGKey) -> tuple[Any, Array]:
        keys = jax.random.split(key, len(banks))
        orders = [jax.random.permutation(k, bank.action.shape[0]) for k, bank in zip(keys, banks, strict=True)]
        carry, losses = jax.lax.scan(step, carry, [o[: steps * MINIBATCH].reshape(steps, MINIBATCH) for o in orders])
        return carry, losses.mean()

    carry, losses = (weights, optimiser.init(weights)), []
    for one in jax.random.split(key, EPOCHS):
        carry, value = epoch(carry, one)
        losses.append(float(value))
    return carry[0], losses


def watched(config: Config, network: Network) -> Iterator[tuple[str, Choices]]:
    """Of each bank of the mix by name."""
    for name, bank in config.mix.banks().items():
        shops = plans(bank, config.run.seed)
        shape = shape_of(shops, bank.candidates)
        starts = np.stack([planned_starts(plan, shape.operations) for plan in shops])
        yield name, watch(JobShop(shape), network, jax.device_put(pack_stacked(shops, shape)), jnp.asarray(starts))


def main() -> None:
    """Search, watch, imitate, and write the policy."""
    folder, overrides = Path(sys.argv[1]), sys.argv[2:]
    config = load_config(Path("configs/generalist.toml"), overrides)
    network = make_network(config.network)
    begin_key, learn_key = jax.random.split(jax.random.key(config.run.seed))
    banks = dict(watched(config, network))
    weights, losses = imitate(network, jax.jit(network.initialise)(begin_key), list(banks.values()), learn_key)
    print("cross-entropy by epoch:", " ".join(f"{value:.3f}" for value in losses))
    about = {"versions": versions(), "config": to_dict(config), "trained_on": [], "step": 1, "score": losses[-1]}
    export_policy(weights, about, folder)


if __name__ == "__main__":
    main()
