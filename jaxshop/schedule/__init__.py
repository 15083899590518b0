"""The answer: schedules, their independent verifier, their key figures, their file, and dispatching on the host."""

from jaxshop.schedule.verify import Row, Schedule, from_json, kpis, read, to_json, verify, write

__all__ = ["Row", "Schedule", "from_json", "kpis", "read", "to_json", "verify", "write"]
