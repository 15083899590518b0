"""Where the time goes, and how far the hardware's limit is: measured in one run, compile time apart."""

from typing import TYPE_CHECKING

from jaxshop.support.lazy import lazy_exports

if TYPE_CHECKING:
    from jaxshop.profiling.cost import Cost, cost_of
    from jaxshop.profiling.measure import Measured
    from jaxshop.profiling.roofline import Roofline, measure_roofline

__all__ = ["Cost", "Measured", "Roofline", "cost_of", "measure_roofline"]
__getattr__ = lazy_exports(
    __name__,
    {"Cost": "cost", "cost_of": "cost", "Measured": "measure", "Roofline": "roofline", "measure_roofline": "roofline"},
)
