"""The policy inside iterated greedy: which operations are taken out, and in which order they go back.

uv run benchmarks/policy_inside.py [--lots H] [--pieces N] [--seeds N] SHOP...

Iterated greedy alone, one seat, from the start that the team has. A row for each shop, in Markdown: percent over the
certified bound, means and standard deviations of the seeds. What a policy's play takes is no piece of work.

- As it is: the product's. Longest first: back by its least time, give or take 30 % of the longest.
- Policy's order: back in the order in which the policy's greedy schedule starts it, give or take a tenth of that.
- Policy's regret: of two sets that might be taken out, the one that the policy would rather have placed otherwise.
  Every 128 pieces the best schedule is replayed. Of the lots that compete, the one goes that starts first in it; its
  operation weighs as much as its logit is below the best.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from statistics import mean, stdev

import jax
import jax.numpy as jnp
import numpy as np

from jaxshop import load_shop
from jaxshop.policies.checkpoint import Policy, load_policy
from jaxshop.search.auto import improving
from jaxshop.search.compiled import CompiledRollouts
from jaxshop.search.improve import greedy
from jaxshop.search.improve.dispatching import NUMBERS
from jaxshop.search.improve.gaps import best_place
from jaxshop.search.improve.graph import cost_of, put_in, restore, take_out
from jaxshop.search.improve.greedy import BEST, CURRENT, CYCLE_BEGAN, CYCLE_LENGTH, REMOVED
from jaxshop.search.improve.model import HEAD, sequences
from jaxshop.search.improve.state import OVERFLOWN, ROOM, WORK, draw, forget, take_back
from jaxshop.search.improve.workers import IteratedGreedy
from jaxshop.search.sampling import Greedy
from jaxshop.search.types import Stop, Task
from jaxshop.shop import split_lots
from jaxshop.support.compiling import compiled, copy

AGAIN, NONE = 128, np.zeros(0)


@compiled
def chosen(arrays, state, cost, weights, places, noise, scratch):
    """`choose`, twice where there are weights, and sorted where there are places; returns how many."""
    begin = state.path.shape[0] - ROOM
    count = greedy.choose(arrays, state, cost, REMOVED)
    if weights.shape[0]:
        before, after, other = 0.0, 0.0, count
        for k in range(other):
            scratch[k] = state.path[begin + k]
            before += weights[state.path[begin + k]]
        count = greedy.choose(arrays, state, cost, REMOVED)
        for k in range(count):
            after += weights[state.path[begin + k]]
        if before > after:
            count = other
            for k in range(count):
                state.path[begin + k] = np.int64(scratch[k])
    if places.shape[0]:
        for k in range(count):
            operation, j = state.path[begin + k], k
            key = places[operation] + noise * (draw(state.random, 1 << 20) / (1 << 19) - 1.0)
            while j > 0 and scratch[j - 1] > key:
                scratch[j], state.path[begin + j] = scratch[j - 1], state.path[begin + j - 1]
                j -= 1
            scratch[j], state.path[begin + j] = key, operation
    return count


@compiled
def guided_greedy(arrays, state, best, memory, budget, weights, places, noise, scratch):
    """As `iterated_greedy`, by weights of what is taken out or places in which it goes back, where there are any."""
    begin, counters = state.path.shape[0] - ROOM, state.counters
    while counters[WORK] < budget:
        begun = counters[WORK] - memory[CYCLE_BEGAN]
        if begun >= memory[CYCLE_LENGTH]:
            memory[CYCLE_BEGAN], begun = counters[WORK], 0
            memory[CYCLE_LENGTH] *= 2
            restore(arrays, state, best)
            memory[CURRENT] = memory[BEST]
        current = memory[CURRENT]
        count = chosen(arrays, state, current, weights, places, noise, scratch)
        take_out(arrays, state, state.path[begin : begin + count])
        for k in range(count):
            operation = state.path[begin + k]
            alternative, before = best_place(arrays, state, operation, memory[greedy.PRICE])
            put_in(arrays, state, operation, alternative, before)
        cost = cost_of(arrays, state.table)
        if cost > current:
            warmth = memory[BEST] * greedy.HOT * (greedy.COLD / greedy.HOT) ** (begun / memory[CYCLE_LENGTH])
            chance = math.exp((current - cost) / warmth)
            if draw(state.random, 1 << 30) >= chance * (1 << 30) and counters[OVERFLOWN] == 0:
                take_back(state)
                continue
        forget(state)
        memory[CURRENT] = cost
        if cost < memory[BEST]:
            memory[BEST] = cost
            copy(best, state.table)


class Guided(IteratedGreedy):
    """Iterated greedy that is told what to take out, or in which order it goes back."""

    weigh: Callable[[np.ndarray], np.ndarray] | None = None
    weights, places, noise = NONE, NONE, 0.0

    def _run(self, work: int, target: int) -> None:
        if self.weigh is not None and self.pieces % AGAIN == 1:
            self.weights = self.weigh(self.table[: self.arrays.operations, HEAD])
        given = self.weights, self.places, self.noise, np.zeros(ROOM)
        guided_greedy(self.arrays, self.state, self.table, self.memory, work, *given)


def regret_of(policy: Policy, rollouts: CompiledRollouts) -> Callable[[np.ndarray], np.ndarray]:
    """Starts of the operations of a schedule, in any unit -> what the policy holds against each."""
    env, params = rollouts._deciding(policy), rollouts.params
    key, size = jax.random.key(0), rollouts.env.shape.operations

    def step(_, carry, starts):
        state, found = carry
        obs = env.get_obs(state, params)
        logits, operations = policy.network.apply(policy.weights, obs).logits, state.lots.op[obs.candidates]
        sent = jnp.where(obs.candidate_mask, starts[operations], jnp.iinfo(jnp.int32).max).argmin()
        found = found.at[operations[sent]].set(logits.max() - logits[sent])
        return env.advance(key, state, obs.candidates[sent], params)[0], found

    @jax.jit
    def replayed(starts):
        begun = env.begin(key, params), jnp.zeros(size)
        return jax.lax.fori_loop(0, params.operations, lambda i, carry: step(i, carry, starts), begun)[1]

    return lambda starts: np.asarray(replayed(np.resize(starts, size)), np.float64)[: len(starts)]


def row(task: Task, policy: Policy, pieces: int, seeds: range) -> list[str]:
    """The start and what each way comes to, as the table tells it."""
    model, arrays = task.model, task.model.arrays
    rules = 2 * sum(name != "EDD" or task.with_due for name in NUMBERS)
    *_, start = improving(threads=1).search(task, 0, Stop(work=rules + 1))  # the rules, and what weighs waste
    rollouts = CompiledRollouts(task, lambda: policy)
    *_, played = Greedy(rollouts).search(task, 0, Stop())
    places = np.empty(arrays.operations)
    places[sequences(model, played.schedule)[0]] = np.arange(arrays.operations) / arrays.operations
    longest = {"places": -arrays.least / arrays.least.max(), "noise": 0.3}
    cells = [f"{100 * (start.cost / task.certificate.value - 1):.2f}"]
    for way in ({}, longest, {"places": places, "noise": 0.1}, {"weigh": regret_of(policy, rollouts)}):
        gaps = []
        for seed in seeds:
            worker = Guided(model, *sequences(model, start.schedule), seed)
            vars(worker).update(way)
            worker.advance(pieces, -1, 0)
            gaps.append(100 * (worker.found.cost / task.certificate.value - 1))
        cells.append(f"{mean(gaps):.2f} ± {stdev(gaps):.2f}")
    return cells


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shops", nargs="+")
    parser.add_argument("--lots", type=float, default=None, help="hours of the longest lot; default: whole jobs")
    parser.add_argument("--pieces", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3, help="at least two")
    args = parser.parse_args()
    policy = load_policy()
    print("| shop | start | as it is | longest first | policy's order | policy's regret |\n|---|---|---|---|---|---|")
    for spec in args.shops:
        cells = row(Task.of(split_lots(load_shop(spec), args.lots)), policy, args.pieces, range(args.seeds))
        print(f"| {spec} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
