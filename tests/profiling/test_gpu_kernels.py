"""benchmarks/gpu_kernels.py: what it reads off a compiled program."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

PROGRAM = """
%sliced (param_0: s32[8,1000], param_1: s32[], param_2: s32[4,1]) -> s32[4] {
  %param_0 = s32[8,1000]{1,0} parameter(0)
  %param_1 = s32[] parameter(1)
  %zero = s32[] constant(0)
  %one = s32[1,1000]{1,0} dynamic-slice(%param_0, %param_1, %zero), dynamic_slice_sizes={1,1000}
  %flat = s32[1000]{0} bitcast(%one)
  %param_2 = s32[4,1]{1,0} parameter(2)
  ROOT %gathered = s32[4]{0} gather(%flat, %param_2), offset_dims={}
}

%added (param_0.1: s32[8,1000], param_1.1: s32[]) -> s32[8,1000] {
  %param_0.1 = s32[8,1000]{1,0} parameter(0)
  %param_1.1 = s32[] parameter(1)
  %wide = s32[8,1000]{1,0} broadcast(%param_1.1), dimensions={}
  ROOT %sum = s32[8,1000]{1,0} add(%param_0.1, %wide)
}

%written (param_0.2: s32[8,1000], param_1.2: s32[4,2], param_2.2: s32[4]) -> s32[8,1000] {
  %param_0.2 = s32[8,1000]{1,0} parameter(0)
  %param_1.2 = s32[4,2]{1,0} parameter(1)
  %param_2.2 = s32[4]{0} parameter(2)
  ROOT %put = s32[8,1000]{1,0} scatter(%param_0.2, %param_1.2, %param_2.2), to_apply=%last
}

%body (carry: (s32[8,1000], s32[], s32[4,1], s32[4,2])) -> (s32[8,1000], s32[], s32[4,1], s32[4,2]) {
  %carry = (s32[8,1000]{1,0}, s32[], s32[4,1]{1,0}, s32[4,2]{1,0}) parameter(0)
  %table = s32[8,1000]{1,0} get-tuple-element(%carry), index=0
  %step = s32[] get-tuple-element(%carry), index=1
  %places = s32[4,1]{1,0} get-tuple-element(%carry), index=2
  %pairs = s32[4,2]{1,0} get-tuple-element(%carry), index=3
  %some = s32[4]{0} fusion(%table, %step, %places), kind=kLoop, calls=%sliced, metadata={op_name="some"}
  %all = s32[8,1000]{1,0} fusion(%table, %step), kind=kLoop, calls=%added, metadata={op_name="all"}
  %last = s32[8,1000]{1,0} fusion(%all, %pairs, %some), kind=kInput, calls=%written, metadata={op_name="last"}
  ROOT %next = (s32[8,1000]{1,0}, s32[], s32[4,1]{1,0}, s32[4,2]{1,0}) tuple(%last, %step, %places, %pairs)
}

ENTRY %main (begin: (s32[8,1000], s32[], s32[4,1], s32[4,2])) -> (s32[8,1000], s32[], s32[4,1], s32[4,2]) {
  %begin = (s32[8,1000]{1,0}, s32[], s32[4,1]{1,0}, s32[4,2]{1,0}) parameter(0)
  ROOT %loop = (s32[8,1000]{1,0}, s32[], s32[4,1]{1,0}, s32[4,2]{1,0}) while(%begin), condition=%more, body=%body
}
"""


@pytest.fixture(scope="module")
def kernels():
    """The script as a module; what it sets for its own process stays there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        for name in ("JAX_PLATFORMS", "JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "XLA_FLAGS"):
            patch.setenv(name, os.environ.get(name, ""))
        yield importlib.import_module("gpu_kernels")


def test_of_what_is_sliced_gathered_or_written_in_place_only_that_counts(kernels):
    """Shows that a sector counts for each number gathered, all of what is computed with, and updates of a scatter."""
    (found,) = kernels.steps_of(PROGRAM).values()
    table, number = 8 * 1000 * 4, 4
    assert [(kernel.name, kernel.bytes) for kernel in found] == [
        ("some", number + 4 * number + 4 * kernels.SECTOR + 4 * number),
        ("all", table + number + table),
        ("last", 8 * number + 4 * number),
    ]
