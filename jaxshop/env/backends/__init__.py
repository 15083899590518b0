"""How one environment, or many at the end of every array, are computed: vector helpers, and a loop for comparison."""

from jaxshop.env.backends.sets import free_sets, members, runs_on
from jaxshop.env.backends.vectors import at, each, greatest, least, numbered, put, put_each, put_fresh, row

__all__ = [
    "at",
    "each",
    "free_sets",
    "greatest",
    "least",
    "members",
    "numbered",
    "put",
    "put_each",
    "put_fresh",
    "row",
    "runs_on",
]
