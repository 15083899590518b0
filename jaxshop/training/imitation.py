"""What a run may begin with: weights that decide as searched schedules of its training shops do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxshop.parallel.cluster import of_leader
from jaxshop.ppo.imitation import Choices, Imitation, imitate, make_imitation, watch
from jaxshop.ppo.update import Learner
from jaxshop.training.config import Config
from jaxshop.training.problem import TrainingProblem

_QUIET_SECONDS = 30.0


def imitated(
    problem: TrainingProblem, config: Config, learners: Sequence[Learner], say: Callable[[str], None]
) -> list[Learner]:
    """Learners once their weights have imitated search, with a line said now and then; as they are where none is asked.

    A run that is interrupted meanwhile has nothing to go on with: it takes minutes.
    """
    if not problem.starts:
        return list(learners)
    schedules = sum(len(starts) for starts in problem.starts.values())
    say(f"imitation of {schedules} searched schedules, {config.imitation.steps} steps")
    banks = [
        watch(problem.setups[name].env, problem.network, problem.shops[name], jnp.asarray(starts))
        for name, starts in problem.starts.items()
    ]
    how = make_imitation(problem.network, config.imitation)
    return [_imitated(how, banks, learner, say) for learner in learners]


def _imitated(how: Imitation, banks: Sequence[Choices], learner: Learner, say: Callable[[str], None]) -> Learner:
    told = begun = time.monotonic()
    key, own = jax.random.split(learner.key)
    for taught, loss in imitate(how, learner.weights, banks, own):
        weights, now = taught, time.monotonic()
        if now - told > _QUIET_SECONDS:
            say(f"imitation: cross-entropy {loss:.3f} after {now - begun:.0f} s")
            told = now
    say(f"imitation: cross-entropy {loss:.3f} at the end, after {time.monotonic() - begun:.0f} s")
    weights = of_leader(weights)
    return learner._replace(weights=weights, averaged=weights, key=key)
