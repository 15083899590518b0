"""What is certain: lower bounds that hold for every schedule, and the verdict on a target."""

from jaxshop.bounds.certify import Certificate, certify
from jaxshop.bounds.verdict import Verdict, verdict

__all__ = ["Certificate", "Verdict", "certify", "verdict"]
