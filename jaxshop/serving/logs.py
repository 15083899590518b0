"""JSON logs: one object a line on stderr, with the id of its request. Headers and bodies are never logged."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
log = logging.getLogger("jaxshop.serving")


class JsonFormatter(logging.Formatter):
    """One JSON object a record; what `extra={"fields": {...}}` holds is merged in."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in entry.items() if value is not None}, default=str)


def configure(level: str) -> None:
    """Send every logger of the process through the JSON formatter."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("jaxshop", "uvicorn.error"):
        logging.getLogger(name).setLevel(level)


def event(message: str, level: int = logging.INFO, **fields: object) -> None:
    """Log an event with fields."""
    log.log(level, message, extra={"fields": fields})
