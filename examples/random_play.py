"""Random play on many environments at once: `uv run examples/random_play.py --environments 1024`."""

from __future__ import annotations

import argparse
import time

import jax
import jax.numpy as jnp

import jaxshop


def random_play(spec: str, environments: int, seed: int = 0) -> tuple[jax.Array, float]:
    """Makespans in ticks, int32 [environments], and seconds of the second run; the first one compiles."""
    env, params = jaxshop.make(jaxshop.load_shop(spec))

    def episode(key: jax.Array) -> jax.Array:
        def step(carry, step_key):
            obs, state = carry
            act_key, env_key = jax.random.split(step_key)
            action = jax.random.categorical(act_key, jnp.where(obs.action_mask, 0.0, -jnp.inf))
            obs, state, _, _, info = env.step_env(env_key, state, action, params)
            return (obs, state), info["makespan"]

        keys = jax.random.split(key, env.shape.operations)  # an episode has as many steps as the shop has operations
        _, makespans = jax.lax.scan(step, env.reset_env(key, params), keys)
        return makespans[-1]

    play = jax.jit(jax.vmap(episode))
    keys = jax.random.split(jax.random.key(seed), environments)
    jax.block_until_ready(play(keys))
    begun = time.perf_counter()
    makespans = jax.block_until_ready(play(keys))
    return makespans, time.perf_counter() - begun


def main() -> None:
    """Play and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", nargs="?", default="family:jobshop:0")
    parser.add_argument("--environments", type=int, default=1024)
    args = parser.parse_args()
    makespans, seconds = random_play(args.shop, args.environments)
    shop = jaxshop.load_shop(args.shop)
    operations = sum(len(job.operations) for job in shop.jobs)
    hours = makespans / 3600
    print(f"{args.environments} episodes of {operations} operations in {seconds:.2f} s:", end=" ")
    print(f"{args.environments * operations / seconds:,.0f} operations/s on {jax.devices()[0].platform}")
    print(f"random play: best {hours.min():.2f} h, mean {hours.mean():.2f} h")


if __name__ == "__main__":
    main()
