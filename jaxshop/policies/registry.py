"""The networks by name, `network.kind` in a config. Whatever needs one asks here and knows none of their classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, cast

from jaxshop.support.errors import ShopError
from jaxshop.support.settings import count, one_of

if TYPE_CHECKING:
    from jaxshop.policies.types import Network

_NETWORKS: Mapping[str, tuple[str, str]] = {
    "pooled": ("jaxshop.policies.networks.pooled", "Pooled"),
    "gated": ("jaxshop.policies.networks.gated", "Gated"),
    "attention": ("jaxshop.policies.networks.attention", "Attention"),
}
"""Module and class of each kind; the class takes the keys of `NetworkConfig` that it has fields for."""


@dataclass(frozen=True)
class NetworkConfig:
    """The policy network."""

    kind: Annotated[str, one_of(_NETWORKS)] = "pooled"
    width: Annotated[int, count(16_384)] = 64
    depth: Annotated[int, count(256)] = 2
    dtype: Annotated[str, one_of(("float32", "bfloat16"))] = "float32"


@dataclass(frozen=True)
class EnvConfig:
    """What the policy is asked to decide; see `jaxshop.env.JobShop`."""

    passing: bool = False


def make_network(config: NetworkConfig) -> Network:
    """The network that a config describes; equal configs give equal networks.

    Raises:
        ShopError: networks of that kind do not compute in that dtype, or cannot have that width.
    """
    module, name = _NETWORKS[config.kind]
    network = getattr(import_module(module), name)
    if config.dtype not in (known := getattr(network, "dtypes", ("float32",))):
        raise ShopError(
            f"network.dtype: a network {config.kind!r} computes in {' or '.join(known)}, not {config.dtype}"
        )
    return cast("Network", network(**{field.name: getattr(config, field.name) for field in fields(network)}))
