"""The algorithm, pure: rollouts, advantages, losses, gradient steps, and the update made of them."""

from typing import TYPE_CHECKING

from jaxshop.support.lazy import lazy_exports

if TYPE_CHECKING:
    from jaxshop.ppo.config import PPOConfig, StageConfig
    from jaxshop.ppo.gae import generalised_advantages
    from jaxshop.ppo.losses import ppo_loss
    from jaxshop.ppo.rollout import Transitions, collect
    from jaxshop.ppo.setup import Setup, make_optimiser
    from jaxshop.ppo.update import Learner, UpdateMetrics, begin

__all__ = [
    "Learner",
    "PPOConfig",
    "Setup",
    "StageConfig",
    "Transitions",
    "UpdateMetrics",
    "begin",
    "collect",
    "generalised_advantages",
    "make_optimiser",
    "ppo_loss",
]
__getattr__ = lazy_exports(
    __name__,
    {
        "PPOConfig": "config",
        "StageConfig": "config",
        "generalised_advantages": "gae",
        "ppo_loss": "losses",
        "Transitions": "rollout",
        "collect": "rollout",
        "Setup": "setup",
        "make_optimiser": "setup",
        "Learner": "update",
        "UpdateMetrics": "update",
        "begin": "update",
    },
)
