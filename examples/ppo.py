"""PPO in one file, on the environment alone: `uv run examples/ppo.py --updates 40`.

A shop, a network in plain JAX, rollouts, advantages, the clipped loss. What `train.py` adds is in `jaxshop/ppo`:
shops of many makes and sizes side by side, devices, checkpoints, evaluation.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxshop
from jaxshop.env import CONTEXT, FEATURES
from jaxshop.shop import Job, Machine, Operation, Shop

WIDTH, CLIP, EPOCHS, RATE = 32, 0.2, 4, 3e-3


def random_job_shop(jobs: int, machines: int, seed: int) -> Shop:
    """Every job once on every machine, in an order of its own, for 0.1 to 9.9 hours each time."""
    rng = np.random.default_rng(seed)

    def job(j: int) -> Job:
        steps = enumerate(rng.permutation(machines))
        return Job(f"J{j}", tuple(Operation(f"J{j}/{k}", {f"M{m}": 360 * int(rng.integers(1, 100))}) for k, m in steps))

    return Shop("random", tuple(Machine(f"M{m}") for m in range(machines)), tuple(job(j) for j in range(jobs)))


def layer(key: jax.Array, inputs: int, outputs: int, scale: float = 1.0) -> dict[str, jax.Array]:
    """Random weights of a linear layer."""
    return {"w": jax.random.normal(key, (inputs, outputs)) * scale / inputs**0.5, "b": jnp.zeros(outputs)}


def initial_weights(key: jax.Array) -> dict[str, dict[str, jax.Array]]:
    """An actor that scores each candidate by itself, and a critic that sees the context and the candidates' mean."""
    keys = jax.random.split(key, 4)
    sees = FEATURES + CONTEXT
    return {
        "actor": layer(keys[0], sees, WIDTH),
        "score": layer(keys[1], WIDTH, 1, 0.1),
        "critic": layer(keys[2], sees, WIDTH),
        "value": layer(keys[3], WIDTH, 1, 0.1),
    }


def network(weights, obs) -> tuple[jax.Array, jax.Array]:
    """Logits of the candidates, float32 [C], and the value, float32 []."""

    def through(first: str, second: str, x: jax.Array) -> jax.Array:
        hidden = jax.nn.relu(x @ weights[first]["w"] + weights[first]["b"])
        return (hidden @ weights[second]["w"] + weights[second]["b"])[..., 0]

    context = jnp.broadcast_to(obs.context, (obs.features.shape[0], CONTEXT))
    logits = through("actor", "score", jnp.concatenate([obs.features, context], axis=1))
    mean = jnp.where(obs.candidate_mask[:, None], obs.features, 0).sum(0) / obs.candidate_mask.sum()
    value = through("critic", "value", jnp.concatenate([mean, obs.context]))
    return jnp.where(obs.candidate_mask, logits, -1e9), value


class Step(NamedTuple):
    """What is kept of a decision; arrays [T, E] once stacked."""

    obs: jaxshop.env.Observation
    choice: jax.Array  # a place among the candidates
    log_prob: jax.Array
    value: jax.Array
    reward: jax.Array


def rollout(env, params, weights, key: jax.Array, greedy: bool = False) -> tuple[Step, jax.Array]:
    """One episode, and its makespan in ticks."""

    def step(carry, step_key):
        obs, state = carry
        logits, value = network(weights, obs)
        choice = logits.argmax() if greedy else jax.random.categorical(step_key, logits)
        log_prob = jax.nn.log_softmax(logits)[choice]
        following, state, reward, _, info = env.step_env(step_key, state, obs.candidates[choice], params)
        return (following, state), (Step(obs, choice, log_prob, value, reward), info["makespan"])

    keys = jax.random.split(key, env.shape.operations)
    _, (steps, makespans) = jax.lax.scan(step, env.reset_env(key, params), keys)
    return steps, makespans[-1]


def loss(weights, steps: Step, advantage: jax.Array, target: jax.Array) -> jax.Array:
    """The clipped objective and the critic's error, over a flat batch."""
    logits, value = jax.vmap(network, (None, 0))(weights, steps.obs)
    log_prob = jnp.take_along_axis(jax.nn.log_softmax(logits), steps.choice[:, None], axis=1)[:, 0]
    ratio = jnp.exp(log_prob - steps.log_prob)
    gain = jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * advantage)
    return -gain.mean() + 0.5 * jnp.square(value - target).mean()


def train(shop: Shop, updates: int, environments: int, seed: int = 0) -> tuple[float, float, float]:
    """Makespans in hours of the greedy policy before and after, and the mean of random play by the untrained one."""
    env, params = jaxshop.make(shop)
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(RATE))
    weights = initial_weights(jax.random.key(seed))

    @jax.jit
    def update(weights, state, key):
        steps, makespans = jax.vmap(lambda k: rollout(env, params, weights, k))(jax.random.split(key, environments))
        rest = jnp.cumsum(steps.reward[:, ::-1], axis=1)[:, ::-1]  # nothing is discounted: a makespan is what it is
        advantage = rest - steps.value
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (steps, advantage, rest))

        def epoch(carry, _):
            weights, state = carry
            changes, state = optimiser.update(jax.grad(loss)(weights, *flat), state)
            return (optax.apply_updates(weights, changes), state), None

        (weights, state), _ = jax.lax.scan(epoch, (weights, state), length=EPOCHS)
        return weights, state, makespans.mean() / 3600

    greedy = jax.jit(lambda w: rollout(env, params, w, jax.random.key(0), greedy=True)[1] / 3600)
    before, first = float(greedy(weights)), 0.0
    state = optimiser.init(weights)
    for number in range(updates):
        weights, state, mean = update(weights, state, jax.random.fold_in(jax.random.key(seed + 1), number))
        first = first or float(mean)
        if number % 10 == 9 or number == updates - 1:
            print(f"update {number + 1}/{updates}  samples {mean:.2f} h  greedy {greedy(weights):.2f} h", flush=True)
    return before, float(greedy(weights)), first


def main() -> None:
    """Train and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--environments", type=int, default=64)
    args = parser.parse_args()
    shop = random_job_shop(10, 5, seed=0)
    before, after, _ = train(shop, args.updates, args.environments)
    bound = jaxshop.make(shop)[1].bound / 3600
    print(f"greedy policy: {before:.2f} h untrained, {after:.2f} h trained; certified bound {bound:.2f} h")


if __name__ == "__main__":
    main()
