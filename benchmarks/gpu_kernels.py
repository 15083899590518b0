"""What a GPU would run in a step, without one.

`python benchmarks/gpu_kernels.py --environments 4096`: XLA's own compiler for CUDA, told of an H200, compiles the
programs of `benchmarks/gpu.py` on a CPU. Told are kernels of a step, sorts among them, and the bytes that these read
and write; of what is written in place (scatters) only the updates, of what is sliced only the slice, and of what is
gathered a sector of memory for each number, at most the whole. Nothing is run, so nothing here is a time.

Needs the extra `cuda` for XLA's compiler, and neither a GPU nor a driver.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"  # there is no driver to ask
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_autotune_level=0"  # nor a GPU to try kernels on

H200 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 shared_memory_per_core: 233472
  threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128 block_dim_limit_x: 2147483647 block_dim_limit_y: 65535
  block_dim_limit_z: 65535 memory_bandwidth: 4800000000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98
  device_memory_size: 150000000000 shared_memory_per_block_optin: 232448 cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA" dnn_version_info { major: 9 minor: 8 } device_description_str: "NVIDIA H200"
"""

SIZES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "s64": 8, "u64": 8, "f64": 8}
SECTOR = 32
"""Bytes that a GPU reads at least, wherever they lie."""
NO_KERNELS = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "while", "copy-done"}


class Kernel(NamedTuple):
    """A kernel of a compiled program, by its operation, with what it reads and writes."""

    name: str
    bytes: int
    sorts: bool


class Line(NamedTuple):
    """An instruction of HLO text."""

    name: str
    result: str
    operation: str
    rest: str


def compiled_for_gpu(function: Any, *arguments: Any) -> str:
    """The HLO text that XLA makes of a function for one H200, its kernels fused and scheduled."""
    import jax
    import numpy as np
    from jax.experimental import topologies

    topology = topologies.get_topology_desc("cuda", platform="cuda", topology="1x1x1", target_config=H200)
    mesh = jax.sharding.Mesh(np.array(topology.devices[:1]), ("gpu",))
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=whole), arguments)
    return jax.jit(function).lower(*shapes).compile().as_text()


def steps_of(text: str) -> dict[str, list[Kernel]]:
    """The kernels of each loop's body in a compiled program, by the body's name."""
    programs: dict[str, list[Line]] = {}
    for line in text.splitlines():
        if begun := re.match(r"(?:ENTRY )?%?([\w.\-]+) \(.*\{$", line):
            inside = programs.setdefault(begun[1], [])
        elif found := re.match(r"\s+(?:ROOT )?%([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)$", line):
            inside.append(Line(*found.groups()))
    bodies = {name for lines in programs.values() for x in lines for name in re.findall(r"body=%([\w.\-]+)", x.rest)}
    return {name: list(_kernels(programs, name)) for name in sorted(bodies)}


def _kernels(programs: dict[str, list[Line]], body: str) -> Iterator[Kernel]:
    results = {line.name: line.result for line in programs[body]}
    for line in programs[body]:
        if line.operation in NO_KERNELS:
            continue
        called = re.search(r"calls=%([\w.\-]+)", line.rest)
        inside = programs.get(called[1], []) if called else []
        inner = {x.operation for x in inside} or {line.operation}
        operands = [results.get(name, "") for name in _operands(line)]
        read = [_read(inside, number, whole) for number, whole in enumerate(operands)]
        written = re.findall(r"\w+\[[\d,]*\]", line.result)
        if inner & {"scatter", "dynamic-update-slice"}:  # in place: the array is the same before and after
            shapes = [re.match(r"\w+\[[\d,]*\]", x) for x in operands]
            read = [n for n, shape in zip(read, shapes, strict=True) if not shape or shape[0] not in written]
            written = []
        place = re.search(r'op_name="([^"]*)"', line.rest)
        yield Kernel(place[1] if place else line.operation, sum(read) + sum(map(_bytes, written)), "sort" in inner)


def _operands(line: Line) -> list[str]:
    return re.findall(r"%([\w.\-]+)", line.rest.split("), ")[0])


def _read(inside: list[Line], number: int, whole: str) -> int:
    """What a fused computation reads of its operand of that number; all of it where there is no such computation."""
    begins = [x.name for x in inside if x.operation == "parameter" and x.rest.startswith(f"{number})")]
    return sum(_taken(inside, name, whole) for name in begins) if inside else _bytes(whole)


def _taken(inside: list[Line], name: str, whole: str) -> int:
    total = 0
    for line in inside:
        if name not in _operands(line):
            continue
        if line.operation in ("bitcast", "slice", "dynamic-slice") and _operands(line)[0] == name:
            total += _taken(inside, line.name, line.result)
        elif line.operation == "gather" and _operands(line)[0] == name:
            total += SECTOR * _numbers(line.result)
        else:
            total += _bytes(whole)
    return min(total, _bytes(whole))


def _bytes(result: str) -> int:
    arrays = re.findall(r"(\w+)\[([\d,]*)\]", result)
    return sum(SIZES.get(dtype, 4) * math.prod(map(int, filter(None, sizes.split(",")))) for dtype, sizes in arrays)


def _numbers(result: str) -> int:
    return sum(math.prod(map(int, filter(None, x.split(",")))) for x in re.findall(r"\w+\[([\d,]*)\]", result))


def programs(environments: int, unroll: int) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Name, function and arguments of random play and of play by the network, on the reference in lots of 60 h."""
    import jax

    import jaxshop
    from jaxshop.env import make
    from jaxshop.policies.registry import NetworkConfig, make_network
    from jaxshop.profiling.workloads import policy_rollout, random_rollout
    from jaxshop.shop import split_lots

    env, params = make(split_lots(jaxshop.load_shop("reference"), 60.0), candidates=48)
    key = jax.random.key(0)
    yield "random play", random_rollout(env, environments, 64, unroll=unroll), (key, params)
    network = make_network(NetworkConfig())
    weights = jax.eval_shape(network.initialise, key)
    yield "play by the network", policy_rollout(env, network, environments, 64, unroll), (key, params, weights)


def main() -> None:
    """Parse and carry out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=int, default=4096)
    parser.add_argument("--largest", type=int, default=0, metavar="N", help="tell the N kernels that move most, too")
    parser.add_argument("--unroll", type=int, default=1, metavar="N", help="steps that a loop takes at a time")
    args = parser.parse_args()
    for name, function, arguments in programs(args.environments, args.unroll):
        kernels = max(steps_of(compiled_for_gpu(function, *arguments)).values(), key=len)
        moved = sum(k.bytes for k in kernels) / 1e6
        told = {"kernels": len(kernels), "sorts": sum(k.sorts for k in kernels), "megabytes": moved}
        found = {key: round(value / args.unroll, 1) for key, value in told.items()}
        print(json.dumps({"program": name, "environments": args.environments} | found), flush=True)
        for kernel in sorted(kernels, key=lambda k: -k.bytes)[: args.largest]:
            print(f"  {kernel.bytes / 1e6:8.2f} MB {kernel.name}", flush=True)


if __name__ == "__main__":
    main()
