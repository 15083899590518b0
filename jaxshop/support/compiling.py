"""How kernels are compiled: by Numba, without the interpreter's lock, kept between processes."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_cacheless = False
_digests: dict[Any, str] = {}


def compiled(function: Callable) -> Any:
    """Compile a function that makes no array at its first call, or read it from the cache of an earlier process.

    References to arrays are not counted: that is an atomic instruction for each array of each call, in which small
    kernels spend most of their time, and more where threads count the same ones.
    """
    return _kept(function, nrt=False)


def allocating(function: Callable) -> Any:
    """`compiled`, for a function that makes arrays."""
    return _kept(function, nrt=True)


def _kept(function: Callable, nrt: bool) -> Any:
    global _cacheless
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": nrt}
    try:
        kernel: Any = numba.njit(cache=True, **options)(function)
        _digests[kernel] = made_of = _made_of(function, options)
        _keep_apart(kernel._cache._cache_file, made_of)
        return _of_one_kind(kernel)
    except RuntimeError:  # no folder to write to
        if not _cacheless:
            _cacheless = True
            warnings.warn("no folder for Numba's cache can be written: kernels compile in each process", stacklevel=3)
        return _of_one_kind(numba.njit(**options)(function))


def inlined(function: Callable) -> Any:
    """Have a function compiled into each kernel that calls it: a call copies the arrays' descriptions, which takes
    longer than what a short one does."""
    kernel: Any = numba.njit(inline="always", error_model="numpy")(function)
    _digests[kernel] = _made_of(function, {})
    return kernel


def _of_one_kind(kernel: Any) -> Any:
    """Let kernels call this one with int64 where they have a literal or an int32.

    Numba compiles a function anew for each literal and each width that it is called with; LLVM sees literals anyway.
    """
    template = kernel.get_call_template

    def widened(arguments: Any, named: Any) -> Any:
        return template(tuple(map(_widened, arguments)), {name: _widened(kind) for name, kind in named.items()})

    kernel.get_call_template = widened
    return kernel


def _widened(kind: Any) -> Any:
    kind = types.unliteral(kind)
    return types.int64 if kind in types.signed_domain else kind


def _keep_apart(files: Any, made_of: str) -> None:
    """Name a kernel's files after what it is made of: those of another version are not even opened, which would fail
    where a type that stands in them has moved."""
    files._source_stamp = made_of
    index = Path(files._index_path)
    files._index_path = str(index.with_name(f"{made_of[:16]}.{index.name}"))
    files._data_name_pattern = f"{made_of[:16]}.{files._data_name_pattern}"


def _made_of(function: Callable, options: dict[str, Any]) -> str:
    """A digest of all that a kernel is compiled from: its options, its file, and the kernels and numbers that this has
    from others.

    Numba looks at the kernel's own file alone, and would go on with what it once took from another.
    """
    digest = sha256(_content(__file__) + _content(inspect.getfile(function)) + repr(options).encode())
    for name, value in function.__globals__.items():
        if isinstance(value, int | numba.core.dispatcher.Dispatcher):
            digest.update(f"{name}: {_digests.get(value, value)}".encode())
    return digest.hexdigest()


@cache
def _content(file: str) -> bytes:
    return Path(file).read_bytes()


def _lowest_bit(typing_context: Any, word: Any) -> Any:
    """The number of the lowest bit that is set in a uint64, which must not be 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), build


def _highest_zeros(typing_context: Any, word: Any) -> Any:
    """How many zeros stand above the highest bit that is set in a uint64, which must not be 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), build


@compiled
def copy(target, source):
    """Overwrite a two-dimensional array with another of its shape."""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j]


lowest_bit: Any = intrinsic(_lowest_bit)
highest_zeros: Any = intrinsic(_highest_zeros)
