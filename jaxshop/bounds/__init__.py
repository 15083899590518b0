"""What is certain: lower bounds that hold for every schedule, and the verdict on a target."""

from typing import TYPE_CHECKING

from jaxshop.bounds.certify import Certificate, certify
from jaxshop.bounds.tardiness import Tardiness, late_in_every_plan, tardiness_bound
from jaxshop.bounds.verdict import Verdict, verdict
from jaxshop.support.lazy import lazy_exports

if TYPE_CHECKING:
    from jaxshop.bounds.tightening import prepare, tighten

__all__ = [
    "Certificate",
    "Tardiness",
    "Verdict",
    "certify",
    "late_in_every_plan",
    "prepare",
    "tardiness_bound",
    "tighten",
    "verdict",
]
__getattr__ = lazy_exports(__name__, {"prepare": "tightening", "tighten": "tightening"})  # they load Numba
