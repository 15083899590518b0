"""How many columns the decisions of an episode need, and what they would compute whose widths follow that.

`python benchmarks/widths.py --episodes 4096`: the shipped policy plays the reference in lots of 60 h, 48 candidates, in
step. A JSON line for each number of environments: of all columns, the share that is computed with one width for all
(the widest), with a width for each of four groups of like need, and with a list of all candidates.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jax
import jax.numpy as jnp
import numpy as np

import jaxshop
from jaxshop.env import EnvParams, JobShop, make
from jaxshop.policies.checkpoint import Policy, load_policy
from jaxshop.shop import split_lots

WIDTHS = np.array([16, 24, 32, 48])
EIGHTS = np.arange(8, 49, 8)
GROUPS = 4
TOGETHER = 256
"""Episodes that are played side by side: a policy's draws are its own, so the rest may come later."""


def needs(env: JobShop, params: EnvParams, policy: Policy, episodes: int) -> np.ndarray:
    """Columns that each decision needs, int32 [steps, episodes]."""
    begin = jax.vmap(env.begin, (None, None), axis_size=TOGETHER)
    observe, advance = jax.vmap(env.get_obs, (0, None)), jax.vmap(env.advance, (None, 0, 0, None))

    @jax.jit
    def play(key):
        def body(state, key):
            obs = observe(state, params)
            logits = policy.network.apply(policy.weights, obs).logits
            shown = (logits + jax.random.gumbel(key, logits.shape)).argmax(axis=1)
            lots = jnp.take_along_axis(obs.candidates, shown[:, None], axis=1)[:, 0]
            return advance(key, state, lots, params)[0], obs.candidate_mask.sum(axis=1, dtype=jnp.int32)

        return jax.lax.scan(body, begin(key, params), jax.random.split(key, env.shape.operations))[1]

    return np.concatenate([play(jax.random.key(i)) for i in range(-(-episodes // TOGETHER))], axis=1)


def rung(widths: np.ndarray, need: np.ndarray) -> np.ndarray:
    """The first of the widths that is enough."""
    return widths[np.searchsorted(widths, need)]


def main() -> None:
    """Parse and carry out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=4096)
    args = parser.parse_args()
    env, params = make(split_lots(jaxshop.load_shop("reference"), 60.0), candidates=int(WIDTHS[-1]))
    need = needs(env, params, load_policy(), args.episodes)
    upto = {int(width): round(float((need <= width).mean()), 3) for width in EIGHTS}
    print(json.dumps({"mean": round(float(need.mean()), 2), "at_most": upto}))
    for count in (64, 1024, 4096):
        if count > need.shape[1]:
            break
        side = need[:, : need.shape[1] // count * count].reshape(len(need), -1, count)
        widest, listed = side.max(axis=2), side.mean(axis=2)
        groups = np.sort(side, axis=2).reshape(*side.shape[:2], GROUPS, -1).max(axis=3)
        shares = {"widest": rung(WIDTHS, widest), "groups": rung(EIGHTS, groups), "list": rung(WIDTHS, listed)}
        found = {name: round(float(found.mean() / WIDTHS[-1]), 3) for name, found in shares.items()}
        print(json.dumps({"environments": count, "mean_widest": round(float(widest.mean()), 2), "shares": found}))


if __name__ == "__main__":
    main()
