"""The mean of the weights of policies that were trained from one another, as a policy of its own.

uv run benchmarks/average.py OUT POLICY POLICY...     # run or checkpoint folders, or shipped; config of the last one

The policy that ships is such a mean (docs/training.md). It says of itself which, and lists what all of them have seen.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax

from jaxshop.policies.checkpoint import Policy, export_policy, load_policy
from jaxshop.training.config import SHIPPED_POLICY


def averaged_meta(policies: list[tuple[str, Policy]]) -> dict:
    """What the mean says of itself."""
    *_, (_, last) = policies
    seen: list = []
    for _, policy in policies:
        seen += [part for part in policy.meta.get("trained_on", ()) if part not in seen]
    made_of = [f"{name} {policy.id[:12]}" for name, policy in policies]
    return {**last.meta, "trained_on": seen, "averaged_from": made_of}


def main() -> None:
    """Write the policy."""
    out, names = Path(sys.argv[1]), sys.argv[2:]
    policies = [(name, load_policy(None if name == SHIPPED_POLICY else name)) for name in names]  # one may come twice
    if len({policy.network for _, policy in policies}) > 1:
        raise SystemExit("error: these are policies of unlike networks")
    trees = [policy.weights for _, policy in policies]
    mean = jax.tree.map(lambda *each: sum(each) / len(each), *trees)
    export_policy(mean, averaged_meta(policies), out)


if __name__ == "__main__":
    main()
