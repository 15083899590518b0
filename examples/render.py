"""A picture of an episode under way: `uv run examples/render.py --steps 150 --svg state.svg`."""

from __future__ import annotations

import argparse
from pathlib import Path

import jax

import jaxshop


def picture(spec: str, steps: int, mode: str = "ansi") -> str:
    """The schedule after so many operations, at each the competing lot with the most work left."""
    env, params = jaxshop.make(jaxshop.load_shop(spec))
    step, key = jax.jit(env.step_env), jax.random.key(0)
    obs, state = jax.jit(env.reset)(key)
    for _ in range(min(steps, int(params.operations))):
        obs, state, *_ = step(key, state, obs.candidates[0], params)  # candidates are sorted by that
    return env.render(state, mode=mode)


def main() -> None:
    """Print the picture, and write it where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", nargs="?", default="family:jobshop:0")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--svg", type=Path)
    args = parser.parse_args()
    print(picture(args.shop, args.steps), end="")
    if args.svg is not None:
        args.svg.write_text(picture(args.shop, args.steps, "svg"))


if __name__ == "__main__":
    main()
