"""The pure-functional environment."""

from jaxshop.env.environment import JobShop, make
from jaxshop.env.types import EnvParams, EnvState, Observation, Shape

__all__ = ["EnvParams", "EnvState", "JobShop", "Observation", "Shape", "make"]
