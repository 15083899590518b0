"""Finding a schedule with the time there is: rules, a policy and its samples, moves on a schedule, CP-SAT."""

from typing import TYPE_CHECKING

from jaxshop.support.lazy import lazy_exports

if TYPE_CHECKING:
    from jaxshop.search.solver import Solution, solve
    from jaxshop.search.tune import tune_linear
    from jaxshop.search.types import Incumbent, Method, Rollouts, Stop, Task

__all__ = ["Incumbent", "Method", "Rollouts", "Solution", "Stop", "Task", "solve", "tune_linear"]

_TYPES = dict.fromkeys(("Incumbent", "Method", "Rollouts", "Stop", "Task"), "types")
__getattr__ = lazy_exports(__name__, {"Solution": "solver", "solve": "solver", "tune_linear": "tune", **_TYPES})
