"""What a run's weights are before its first update: random, or those of another policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chex import ArrayTree

from jaxshop.parallel.cluster import leads
from jaxshop.policies.checkpoint import Policy, export_policy, load_policy
from jaxshop.policies.registry import make_network
from jaxshop.ppo.update import Learner
from jaxshop.support.settings import ConfigError
from jaxshop.training.config import SHIPPED_POLICY, Config

INITIAL = "initial"
"""Where a run's folder keeps the policy that it starts from: by its end that may lie elsewhere, or be another."""


@dataclass(frozen=True)
class Origin:
    """The policy that a run starts from, None for random weights, and the shops that this policy has seen."""

    policy: str | None = None
    trained_on: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Origin:
        """What a checkpoint of the run says of it."""
        return cls(meta.get("initialised_from"), tuple(meta.get("initially_trained_on", ())))

    def described(self) -> dict[str, Any]:
        """For a checkpoint's meta data, which `of` reads."""
        return {"initialised_from": self.policy, "initially_trained_on": list(self.trained_on)}


def originated(config: Config, untaught: Learner, folder: Path | None = None) -> tuple[Learner, Origin]:
    """The learner before the first update, with the weights of `run.start_from` where that is set.

    Args:
        config: of the run.
        untaught: random weights.
        folder: of the run, which keeps the policy.

    Raises:
        ShopError: as `first_policy`.
    """
    policy = first_policy(config)
    if policy is None:
        return untaught, Origin()
    if folder is not None and leads():
        export_policy(policy.weights, policy.meta, folder / INITIAL)
    origin = Origin(f"{config.run.start_from} {policy.id[:12]}", tuple(policy.meta.get("trained_on", ())))
    return untaught._replace(weights=policy.weights, averaged=policy.weights), origin


def initial_weights(origin: Origin, random: ArrayTree, folder: Path) -> ArrayTree:
    """What a run that is gone on with had before its first update: random weights, or those that its folder keeps."""
    return random if origin.policy is None else load_policy(folder / INITIAL).weights


def first_policy(config: Config) -> Policy | None:
    """The policy that `run.start_from` names.

    Raises:
        ConfigError: its network is another than the config's.
        CheckpointError: it cannot be read.
    """
    named, wanted = config.run.start_from, make_network(config.network)
    if named is None:
        return None
    policy = load_policy(None if named == SHIPPED_POLICY else named)
    if policy.network != wanted:
        raise ConfigError(f"run.start_from: {named} is a {policy.network}, the config asks for {wanted}")
    return policy
