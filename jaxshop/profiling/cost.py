"""FLOP and bytes of a program, with the bodies of scans counted as often as they run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun
from jax.stages import Lowered

_FREE = {
    *("broadcast_in_dim", "reshape", "transpose", "squeeze", "expand_dims", "slice", "dynamic_slice", "gather", "pad"),
    *("dynamic_update_slice", "scatter", "concatenate", "rev", "copy", "copy_p", "stop_gradient", "split", "iota"),
    *("convert_element_type", "bitcast_convert_type", "optimization_barrier", "random_wrap", "random_unwrap"),
    *("device_put", "sharding_constraint", "pvary", "axis_index", "create_token"),
}
"""What moves numbers and computes none."""
_LOGIC = {"and", "or", "not", "xor", "reduce_and", "reduce_or"}
"""Of truth values these are no arithmetic either."""
_READS = ("reduce", "arg", "cum", "top_k", "scatter")
"""Beginnings of the names of what computes once for each number that it reads."""
_THREEFRY = 50.0
"""Operations for a random word: 20 rounds of three, and the key's, shared by two words; less what is folded."""


class Cost(NamedTuple):
    """What a program does: arithmetic of any dtype, and bytes that its kernels read and write."""

    flop: float
    bytes: float
    least_flop: float = 0.0
    """With the cheapest of a conditional's branches, where `flop` has the dearest."""

    def times(self, factor: float) -> Cost:
        """The cost of `factor` such programs."""
        return Cost(*(x * factor for x in self))


def cost_of(function: Callable[..., Any], *args: Any) -> Cost:
    """The cost of one call with arguments like `args`.

    FLOP are counted from the jaxpr, the same on every device: XLA tells none of those that a library's kernels do, as
    all matrix products on a GPU are. Bytes are those of XLA's kernels, so what caches keep is in them: an upper
    estimate of what memory moves. XLA counts the body of a loop once, so the body of every scan is compiled alone and
    multiplied by its trips. Loops without a trip count known in advance (`while_loop`) count once, and of the branches
    of a conditional the most expensive, whichever runs, with the trips of scans in all of them.
    """
    traced = jax.jit(function).trace(*args)
    moved = _unrolled(_bytes(traced.lower()), traced.jaxpr)
    return Cost(flop_of(traced.jaxpr.jaxpr), moved, flop_of(traced.jaxpr.jaxpr, min))


def flop_of(program: Jaxpr, branch: Callable[[Iterable[float]], float] = max) -> float:
    """Operations of a program: two for each product of a matrix product, one for each other number computed.

    What no result depends on counts nothing, as compilers leave it out. Of a conditional's branches `branch` chooses.
    """
    total, needed = 0.0, {v for v in program.outvars if not isinstance(v, Literal)}
    for equation in reversed(program.eqns):
        if equation.effects or not needed.isdisjoint(equation.outvars):
            needed.update(v for v in equation.invars if not isinstance(v, Literal))
            total += _flop(equation, branch)
    return total


def _flop(equation: Any, branch: Callable[[Iterable[float]], float]) -> float:
    name, params = equation.primitive.name, equation.params
    written, read = (sum(math.prod(v.aval.shape) for v in values) for values in (equation.outvars, equation.invars))
    if name == "scan":
        return float(params["length"]) * flop_of(_open(params["jaxpr"]), branch)
    if name == "cond":
        return branch([flop_of(_open(b), branch) for b in _branches(params)])
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        return 2.0 * written * math.prod(equation.invars[0].aval.shape[d] for d in contracted)
    if name in _FREE or (name in _LOGIC and equation.outvars[0].aval.dtype == bool):
        return 0.0
    if name in ("random_bits", "threefry2x32", "random_fold_in", "random_split", "random_seed"):
        return _THREEFRY * written
    if name == "sort":
        length = equation.invars[0].aval.shape[params["dimension"]]
        return float(read) * max(1, math.ceil(math.log2(max(length, 2))))
    if name.startswith(_READS):
        return float(read)
    programs = [p for p in jax.tree.leaves(list(params.values()), is_leaf=is_program) if is_program(p)]
    return sum(flop_of(_open(p), branch) for p in programs) if programs else float(written)


def _branches(params: Mapping[str, Any]) -> Sequence[Any]:
    """Those that may run: of a choice by platform, the one for this process's."""
    here = jax.default_backend()
    names = ("cuda", "rocm") if here == "gpu" else (here,)
    for program, platforms in zip(params["branches"], params.get("branches_platforms") or (), strict=False):
        if platforms is None or not set(names).isdisjoint(platforms):
            return [program]
    return params["branches"]


def _open(program: Any) -> Jaxpr:
    return program.jaxpr if isinstance(program, ClosedJaxpr) else program


def _unrolled(once: float, program: ClosedJaxpr) -> float:
    """`once`, with the body of every scan added for each of its trips but the first, which is counted already."""
    total = once
    for length, body in _scans(program.jaxpr):
        arguments = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in body.jaxpr.invars]
        first = _bytes(jax.jit(jaxpr_as_fun(body)).lower(*arguments))
        total += _unrolled(first, body) * length - first
    return total


def _bytes(lowered: Lowered) -> float:
    # The analysis is of XLA's kernels, which a CPU's compiler (LLVM) need not make fast for it.
    options: dict[str, Any] | None = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    analysis = lowered.compile(compiler_options=options).cost_analysis() or {}
    return float(analysis.get("bytes accessed", 0.0))


def _scans(jaxpr: Jaxpr) -> Iterator[tuple[int, ClosedJaxpr]]:
    """Trips and bodies of the scans that are not inside another scan."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation.params["length"], equation.params["jaxpr"]
            continue
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=is_program):
            if is_program(inner):
                yield from _scans(_open(inner))


def is_program(value: Any) -> bool:
    """Say whether a parameter of an equation is a program of its own."""
    return isinstance(value, ClosedJaxpr | Jaxpr)
