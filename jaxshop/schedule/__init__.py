"""The answer: schedules, their independent verifier, their key figures, their file, and rules that need no JAX."""

from jaxshop.schedule.document import from_json, read, to_json, write
from jaxshop.schedule.kpis import kpis, tardiness
from jaxshop.schedule.records import Row, Schedule
from jaxshop.schedule.verify import verify

__all__ = ["Row", "Schedule", "from_json", "kpis", "read", "tardiness", "to_json", "verify", "write"]
