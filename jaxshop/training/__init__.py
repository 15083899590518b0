"""A run: from its config and its shops through the loop to the final report."""

from typing import TYPE_CHECKING

from jaxshop.support.lazy import lazy_exports

if TYPE_CHECKING:
    from jaxshop.training.config import Config, load_config
    from jaxshop.training.evaluate import Evaluator
    from jaxshop.training.loop import Outcome, train
    from jaxshop.training.problem import TrainingProblem, prepare
    from jaxshop.training.start import resolve

__all__ = ["Config", "Evaluator", "Outcome", "TrainingProblem", "load_config", "prepare", "resolve", "train"]
__getattr__ = lazy_exports(
    __name__,
    {
        "Config": "config",
        "load_config": "config",
        "Evaluator": "evaluate",
        "Outcome": "loop",
        "train": "loop",
        "TrainingProblem": "problem",
        "prepare": "problem",
        "resolve": "start",
    },
)
