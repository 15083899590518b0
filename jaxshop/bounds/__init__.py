"""What is certain: lower bounds that hold for every schedule, and the verdict on a target."""

from typing import TYPE_CHECKING

from jaxshop.bounds.certify import Certificate, certify
from jaxshop.bounds.verdict import Verdict, verdict
from jaxshop.support.lazy import lazy_exports

if TYPE_CHECKING:
    from jaxshop.bounds.tightening import prepare, tighten

__all__ = ["Certificate", "Verdict", "certify", "prepare", "tighten", "verdict"]
__getattr__ = lazy_exports(__name__, {"prepare": "tightening", "tighten": "tightening"})  # they load Numba
