"""A dispatching rule of one's own, on the host and in the environment: `uv run examples/custom_rule.py`."""

from __future__ import annotations

import argparse

import jax
import jax.numpy as jnp
import numpy as np

import jaxshop
from jaxshop.env import FEATURE_NAMES
from jaxshop.policies import play
from jaxshop.schedule import verify
from jaxshop.schedule.dispatch import RULES, Rivals, dispatch_by_rule
from jaxshop.search.dispatches import dispatch_of, to_schedule


def rest_first(rivals: Rivals) -> np.ndarray:
    """The priority of each lot that competes: the work that is left once this operation is done."""
    return rivals.tail - rivals.time


def rest_first_seen(key, obs, state, params) -> jax.Array:
    """The same from what a policy sees, whose columns have names; returns the lot."""
    rest = obs.features[:, FEATURE_NAMES.index("rest")]
    return obs.candidates[jnp.where(obs.candidate_mask, rest, -jnp.inf).argmax()]


def compare(spec: str) -> dict[str, float]:
    """Makespans in hours by rule, of verified schedules."""
    plan = jaxshop.split_lots(jaxshop.load_shop(spec), None)
    schedules = {name: dispatch_by_rule(plan, RULES[name], True) for name in ("SPT", "MWKR")}
    schedules["own, host"] = dispatch_by_rule(plan, rest_first, True)

    env, params = jaxshop.make(plan)
    state = jax.jit(lambda key: play(env, params, rest_first_seen, key))(jax.random.key(0))
    schedules["own, environment"] = to_schedule(plan, dispatch_of(env, state, params))
    for name, schedule in schedules.items():
        assert not verify(plan, schedule), name
    return {name: schedule.makespan / 3600 for name, schedule in schedules.items()}


def main() -> None:
    """Compare and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", nargs="?", default="family:jobshop:0")
    for name, hours in sorted(compare(parser.parse_args().shop).items(), key=lambda item: item[1]):
        print(f"{name:20} {hours:8.2f} h")


if __name__ == "__main__":
    main()
