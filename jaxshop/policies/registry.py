"""The networks by name: everything else asks here for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxshop.policies.networks.pooled import Network


@dataclass(frozen=True)
class NetworkConfig:
    """The size of the policy network."""

    width: int = 64
    depth: int = 2


def make_network(config: NetworkConfig) -> Network:
    """The network that a config describes."""
    from jaxshop.policies.networks.pooled import Network

    return Network(width=config.width, depth=config.depth)
