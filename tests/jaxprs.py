"""Where an integer negation goes in a program: what compilers of GPUs lose before a minimum or maximum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from jaxshop.profiling.cost import is_program

EXTREMES = {
    *("min", "max", "reduce_min", "reduce_max", "argmin", "argmax", "cummin", "cummax", "clamp", "sort", "top_k"),
    *("scatter_min", "scatter_max", "scatter-min", "scatter-max", "reduce_window_max", "reduce_window_min"),
    *("pmin", "pmax", "approx_top_k"),
}
MOVES = {
    *("broadcast_in_dim", "reshape", "transpose", "squeeze", "expand_dims", "slice", "dynamic_slice", "gather"),
    *("dynamic_update_slice", "scatter", "select_n", "concatenate", "pad", "rev", "copy", "copy_p", "stop_gradient"),
    *("convert_element_type", "optimization_barrier", "split", "all_gather", "psum"),
}
"""What changes no value: a negation that went in comes out. Other arithmetic makes another number of it."""


def negations(function: Callable[..., Any], *args: Any) -> list[str]:
    """The minima, maxima, arguments of either and sorts that an integer negation reaches, each as a line.

    Programs inside the program are followed: branches, loops until nothing new is found, and calls.
    """
    program = jax.jit(function).trace(*args).jaxpr
    found: dict[str, None] = {}
    _follow(program.jaxpr, [False] * len(program.jaxpr.invars), found)
    return list(found)


def _follow(jaxpr: Jaxpr, negated: Sequence[bool], found: dict[str, None]) -> list[bool]:
    """Which results of a program are negations, given which arguments are; adds to `found`."""
    known = dict(zip(jaxpr.invars, negated, strict=True))

    def is_negated(value: Any) -> bool:
        return not isinstance(value, Literal) and known.get(value, False)

    zeros = {id(v) for v in _zeros(jaxpr)}
    for equation in jaxpr.eqns:
        name, inputs = equation.primitive.name, [is_negated(v) for v in equation.invars]
        if not name.startswith(("scatter", "reduce")) and _programs(equation):  # those hold one of two numbers alone
            outputs = _enter(name, equation, inputs, found)
        else:
            if name in EXTREMES and any(inputs):
                found[f"{name}: {equation}"] = None
            whole = [jax.numpy.issubdtype(v.aval.dtype, np.signedinteger) for v in equation.outvars]
            made = (
                name == "neg" or (name == "sub" and _is_zero(equation.invars[0], zeros)) or _times_minus_one(equation)
            )
            outputs = [(made or (name in MOVES and any(inputs))) and each for each in whole]
        known |= dict(zip(equation.outvars, outputs, strict=True))
    return [is_negated(v) for v in jaxpr.outvars]


def _enter(name: str, equation: Any, inputs: list[bool], found: dict[str, None]) -> list[bool]:
    params = equation.params
    if name == "cond":
        branches = [_follow(_open(b), inputs[1:], found) for b in params["branches"]]
        return [any(each) for each in zip(*branches, strict=True)]
    if name == "scan":
        return _loop(_open(params["jaxpr"]), inputs, *_fixed_and_carried(params), found)
    if name == "while":
        condition, body = params["cond_nconsts"], params["body_nconsts"]
        rest = inputs[condition:]
        outputs = _loop(_open(params["body_jaxpr"]), rest, body, len(rest) - body, found)
        _follow(_open(params["cond_jaxpr"]), [*inputs[:condition], *outputs], found)
        return outputs
    if name == "pallas_call":  # what a kernel writes to memory and reads again is no part of one instruction
        _follow(params["jaxpr"], [False] * len(params["jaxpr"].invars), found)
        return [False] * len(equation.outvars)
    (inner,) = (p for p in map(_open, _programs(equation)) if len(p.invars) == len(inputs))
    return _follow(inner, inputs, found)


def _loop(body: Jaxpr, inputs: list[bool], fixed: int, carried: int, found: dict[str, None]) -> list[bool]:
    """A body's results once what it carries brings nothing new."""
    while True:
        outputs = _follow(body, inputs, found)
        carry = [a or b for a, b in zip(inputs[fixed : fixed + carried], outputs[:carried], strict=True)]
        if carry == inputs[fixed : fixed + carried]:
            return outputs
        inputs = [*inputs[:fixed], *carry, *inputs[fixed + carried :]]


def _fixed_and_carried(scan: dict[str, Any]) -> tuple[int, int]:
    """How many arguments of a scan stay as they are, and how many are carried; since JAX 0.11 as trees."""
    if "ft_in" in scan:
        fixed, carried, _ = scan["ft_in"].unpack()
        return len(fixed), len(carried)
    return scan["num_consts"], scan["num_carry"]


def _programs(equation: Any) -> list[Any]:
    return [p for p in jax.tree.leaves(list(equation.params.values()), is_leaf=is_program) if is_program(p)]


def _open(program: Any) -> Jaxpr:
    return program.jaxpr if isinstance(program, ClosedJaxpr) else program


def _zeros(jaxpr: Jaxpr) -> Iterator[Any]:
    """What is 0 everywhere: broadcasts of the literal."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "broadcast_in_dim" and _is_literal(equation.invars[0], 0):
            yield equation.outvars[0]


def _is_zero(value: Any, zeros: set[int]) -> bool:
    return _is_literal(value, 0) or id(value) in zeros


def _times_minus_one(equation: Any) -> bool:
    return equation.primitive.name == "mul" and any(_is_literal(v, -1) for v in equation.invars)


def _is_literal(value: Any, number: int) -> bool:
    return isinstance(value, Literal) and np.ndim(value.val) == 0 and value.val == number
