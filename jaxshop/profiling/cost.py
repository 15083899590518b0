"""FLOP and bytes of a program, from XLA, with the bodies of scans counted as often as they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun
from jax.stages import Lowered


class Cost(NamedTuple):
    """What a program does: arithmetic of any dtype, and bytes that its kernels read and write."""

    flop: float
    bytes: float

    def times(self, factor: float) -> Cost:
        """The cost of `factor` such programs."""
        return Cost(self.flop * factor, self.bytes * factor)

    def plus(self, other: Cost) -> Cost:
        """The cost of both, one after the other."""
        return Cost(self.flop + other.flop, self.bytes + other.bytes)


def cost_of(function: Callable[..., Any], *args: Any) -> Cost:
    """The cost of one call with arguments like `args`.

    XLA's own analysis counts the body of a loop once, so the body of every scan is compiled alone and multiplied by
    its trips. Loops without a trip count known in advance (`while_loop`) still count once, and of the branches of a
    conditional (`cond`, `switch`) the most expensive, whichever runs, with the trips of scans in all of them. Bytes are
    those of the compiled kernels, so what caches keep is in them: an upper estimate of what memory moves.
    """
    traced = jax.jit(function).trace(*args)
    lowered = traced.lower()
    return _unrolled(_analysis(lowered), traced.jaxpr)


def _unrolled(once: Cost, program: ClosedJaxpr) -> Cost:
    """`once`, with the body of every scan added for each of its trips but the first, which is counted already."""
    total = once
    for length, body in _scans(program.jaxpr):
        arguments = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in body.jaxpr.invars]
        lowered = jax.jit(jaxpr_as_fun(body)).lower(*arguments)
        first = _analysis(lowered)
        total = total.plus(_unrolled(first, body).times(length)).plus(first.times(-1))
    return total


def _analysis(lowered: Lowered) -> Cost:
    """XLA's own; FLOP before optimisation, since a kernel of a library hides its own from XLA afterwards."""
    # The analysis is of XLA's kernels, which a CPU's compiler (LLVM) need not make fast for it.
    options: dict[str, Any] | None = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    before, after = (stage.cost_analysis() or {} for stage in (lowered, lowered.compile(compiler_options=options)))
    return Cost(float(before.get("flops", 0.0)), float(after.get("bytes accessed", 0.0)))


def _scans(jaxpr: Jaxpr) -> Iterator[tuple[int, ClosedJaxpr]]:
    """Trips and bodies of the scans that are not inside another scan."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation.params["length"], equation.params["jaxpr"]
            continue
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=is_program):
            if is_program(inner):
                yield from _scans(inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner)


def is_program(value: Any) -> bool:
    """Say whether a parameter of an equation is a program of its own."""
    return isinstance(value, ClosedJaxpr | Jaxpr)
