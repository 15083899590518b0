"""The pure-functional environment: shops as arrays, one dispatched operation a step, and what a policy sees of it."""

from jaxshop.env.checks import check_env
from jaxshop.env.environment import JobShop, environments_last, make
from jaxshop.env.features import CONTEXT, CONTEXT_NAMES, FEATURE_NAMES, FEATURES, PLANT_NAMES, explain
from jaxshop.env.packing import pack, pack_stacked, shape_of
from jaxshop.env.transition import op_ends
from jaxshop.env.types import EnvParams, EnvState, Observation, Shape

__all__ = [
    "CONTEXT",
    "CONTEXT_NAMES",
    "FEATURES",
    "FEATURE_NAMES",
    "PLANT_NAMES",
    "EnvParams",
    "EnvState",
    "JobShop",
    "Observation",
    "Shape",
    "check_env",
    "environments_last",
    "explain",
    "make",
    "op_ends",
    "pack",
    "pack_stacked",
    "shape_of",
]
