"""The pure-functional environment."""

from jaxshop.env.checks import check_env
from jaxshop.env.environment import JobShop, environments_last, make
from jaxshop.env.transition import op_ends
from jaxshop.env.types import EnvParams, EnvState, Observation, Shape

__all__ = [
    "EnvParams",
    "EnvState",
    "JobShop",
    "Observation",
    "Shape",
    "check_env",
    "environments_last",
    "make",
    "op_ends",
]
