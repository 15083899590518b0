"""Many devices and many hosts as one: who takes part, and what is spread over whom."""

from typing import TYPE_CHECKING

from jaxshop.support.lazy import lazy_exports

if TYPE_CHECKING:
    from jaxshop.parallel.cluster import Cluster, check_agreement, find_cluster, from_leader, largest, leads, membership
    from jaxshop.parallel.devices import memory_limit, out_of_memory, start_devices
    from jaxshop.parallel.mesh import (
        AXIS,
        cap_instructions,
        data_mesh,
        device_name,
        local,
        one_device_per_core,
        replicate,
    )

__all__ = [
    "AXIS",
    "Cluster",
    "cap_instructions",
    "check_agreement",
    "data_mesh",
    "device_name",
    "find_cluster",
    "from_leader",
    "largest",
    "leads",
    "local",
    "membership",
    "memory_limit",
    "one_device_per_core",
    "out_of_memory",
    "replicate",
    "start_devices",
]
__getattr__ = lazy_exports(
    __name__,
    {
        "Cluster": "cluster",
        "check_agreement": "cluster",
        "find_cluster": "cluster",
        "from_leader": "cluster",
        "largest": "cluster",
        "leads": "cluster",
        "membership": "cluster",
        "memory_limit": "devices",
        "out_of_memory": "devices",
        "start_devices": "devices",
        "AXIS": "mesh",
        "cap_instructions": "mesh",
        "data_mesh": "mesh",
        "device_name": "mesh",
        "local": "mesh",
        "one_device_per_core": "mesh",
        "replicate": "mesh",
    },
)
