"""FLOP and bytes of a program, from XLA, with the bodies of scans counted as often as they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun


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
    its trips. Loops without a trip count known in advance (`while_loop`) still count once. Bytes are those of the
    compiled kernels, so what caches keep is in them: an upper estimate of what memory moves.
    """
    return _unrolled(jax.make_jaxpr(function)(*args))


def _unrolled(program: ClosedJaxpr) -> Cost:
    total = _compiled(program)
    for length, body in _scans(program.jaxpr):
        total = total.plus(_unrolled(body).times(length)).plus(_compiled(body).times(-1))
    return total


def _compiled(program: ClosedJaxpr) -> Cost:
    """XLA's analysis; FLOP before optimisation, since a kernel of a library hides its own from XLA afterwards."""
    arguments = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in program.jaxpr.invars]
    lowered = jax.jit(jaxpr_as_fun(program)).lower(*arguments)
    before, after = (stage.cost_analysis() or {} for stage in (lowered, lowered.compile()))
    return Cost(float(before.get("flops", 0.0)), float(after.get("bytes accessed", 0.0)))


def _scans(jaxpr: Jaxpr) -> Iterator[tuple[int, ClosedJaxpr]]:
    """Trips and bodies of the scans that are not inside another scan."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation.params["length"], equation.params["jaxpr"]
            continue
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program):
            if _is_program(inner):
                yield from _scans(inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner)


def _is_program(value: Any) -> bool:
    return isinstance(value, ClosedJaxpr | Jaxpr)
