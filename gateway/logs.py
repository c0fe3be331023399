"""Log lines: JSON with a dotted past-tense event and fields, on standard error, for journald to keep.

No patient data: call sites log names, counts and reasons, never values or octets, and a failure is logged with its
frames but without their variables. What libraries say through `logging` joins the same stream.
"""

import logging
import sys
from typing import Any

import orjson
import structlog

_LIBRARY_LEVEL = logging.WARNING


def configure(level: str) -> None:
    """Once, at start. `level`: debug, info, warning or error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(serializer=_serialized),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forwarder()], level=_LIBRARY_LEVEL, force=True)


def _serialized(event: dict[str, Any], **_: object) -> bytes:
    return orjson.dumps(event, default=str)


class _Forwarder(logging.Handler):
    """Gives a library's record to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, "library.spoke", logger=record.name, message=record.getMessage())
