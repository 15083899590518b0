"""Whether this device computes what the CPU does: fixed shops, played on both in this process and compared."""

from jaxshop.policies.selftest.compare import Finding, selftest, trust_device

__all__ = ["Finding", "selftest", "trust_device"]
