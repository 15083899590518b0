"""Who chooses: networks, dispatching rules, whole episodes under either, and checkpoints."""

from typing import TYPE_CHECKING

from jaxshop.support.lazy import lazy_exports

if TYPE_CHECKING:
    from jaxshop.policies.acting import Act, greedy, linear, play, rule, sampled
    from jaxshop.policies.checkpoint import CheckpointError, Policy, Store, export_policy, load_policy
    from jaxshop.policies.registry import NetworkConfig, make_network
    from jaxshop.policies.rules import RULES
    from jaxshop.policies.selftest import trust_device
    from jaxshop.policies.types import Network, Output, Stored

__all__ = [
    "RULES",
    "Act",
    "CheckpointError",
    "Network",
    "NetworkConfig",
    "Output",
    "Policy",
    "Store",
    "Stored",
    "export_policy",
    "greedy",
    "linear",
    "load_policy",
    "make_network",
    "play",
    "rule",
    "sampled",
    "trust_device",
]
__getattr__ = lazy_exports(
    __name__,
    {
        "Act": "acting",
        "greedy": "acting",
        "linear": "acting",
        "play": "acting",
        "rule": "acting",
        "sampled": "acting",
        "CheckpointError": "checkpoint",
        "Policy": "checkpoint",
        "Store": "checkpoint",
        "export_policy": "checkpoint",
        "load_policy": "checkpoint",
        "NetworkConfig": "registry",
        "make_network": "registry",
        "RULES": "rules",
        "trust_device": "selftest",
        "Network": "types",
        "Output": "types",
        "Stored": "types",
    },
)
