"""Logging: one JSON object a line on standard error, with a stable `action` field.

There is no line per request: metrics count those. A line is an event somebody may act on.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from aiohttp.http_exceptions import HttpProcessingError


def configure_logs(*, system: str, level: str = "info") -> None:
    """Set up logging for a process; `system` ("hub", "nmvs-ie") stands in every line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(system=system)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)


class _JsonLines(logging.Formatter):
    """Makes what libraries log one line of JSON too."""

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "event": record.getMessage(),
            "action": "library",
            "module": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return _to_json(event).decode()


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a record is about us: not about bytes that were no HTTP, which got their 400, nor
    about a client that has gone in the middle of its request."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, (HttpProcessingError, ConnectionError))


def _to_json(event: Any, **_: Any) -> bytes:
    return orjson.dumps(event, default=str)


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a module."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger
