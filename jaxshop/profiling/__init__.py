"""Where the time goes, and how far the hardware's limit is: measured in one run, compile time apart."""

from jaxshop.profiling.cost import Cost, cost_of
from jaxshop.profiling.measure import Measured, measure
from jaxshop.profiling.roofline import Roofline, measure_roofline

__all__ = ["Cost", "Measured", "Roofline", "cost_of", "measure", "measure_roofline"]
