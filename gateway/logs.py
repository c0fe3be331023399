"""Log lines on standard error, for journald: JSON with fields and a dotted event name in the past tense.

The lines contain names, counts and reasons, never patient data. An unexpected exception is logged by its class and
stack frames, without its message and local variables, which may quote data. Of a record that a library writes through
`logging`, only the first line is logged, because the further lines of asyncio's records describe the task with its
exception.
"""

import logging
import sys
from typing import Any

import orjson
import structlog

_LIBRARY_LEVEL = logging.WARNING
_LOGGED = ("exc_type", "is_cause", "frames")
"""The parts of an exception that are logged."""


def configure(level: str) -> None:
    """Configure logging once, at the start. `level` is debug, info, warning or error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_describe_frames),
            structlog.processors.JSONRenderer(serializer=_serialize),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        cache_logger_on_first_use=False,  # a logger of an imported module must not keep an older configuration
    )
    logging.basicConfig(handlers=[_Forwarder()], level=_LIBRARY_LEVEL, force=True)


_transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def _describe_frames(exc_info: structlog.typing.ExcInfo) -> list[dict[str, Any]]:
    """Return the chain of exceptions, each with its class and stack frames."""
    return [{name: value for name, value in each.items() if name in _LOGGED} for each in _transform(exc_info)]


def _serialize(event: dict[str, Any], **_: object) -> bytes:
    return orjson.dumps(event, default=str)


class _Forwarder(logging.Handler):
    """Forwards the log records of libraries to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage().partition("\n")[0]
        structlog.get_logger().log(
            record.levelno, "library.spoke", logger=record.name, message=message, exc_info=record.exc_info
        )
