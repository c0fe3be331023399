"""Log lines: one JSON object each, on standard error, for journald or whoever runs us to keep.

An event name (`gateway.registered`) and fields, never prose, never patient data: call sites log identifiers, counts and
codes. A traceback is logged as frames without the variables in them. Lines that libraries write through `logging` join
the stream.
"""

import logging
import sys
from typing import Any

import orjson
import structlog

_LIBRARIES = logging.WARNING
# Its access log would tell URLs, which may name people and carry codes; our own middleware logs what is safe.
_SILENT = ("aiohttp.access",)


def configure_logs(level: str) -> None:
    """Once, at start of a process. `level`: debug, info, warning or error."""
    frames_only = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(frames_only),
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=_StandardError,
        cache_logger_on_first_use=False,  # a logger of an imported module must not keep an older configuration
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=_LIBRARIES, force=True)
    for name in _SILENT:
        logging.getLogger(name).disabled = True


def _json(event: dict[str, Any], **_: object) -> bytes:
    return orjson.dumps(event, default=str)


class _StandardError:
    """Writes to what standard error is at that moment, a whole line at once."""

    def __init__(self, *_: object) -> None:
        return

    def msg(self, line: bytes) -> None:
        sys.stderr.buffer.write(line + b"\n")
        sys.stderr.buffer.flush()

    debug = info = warning = error = critical = exception = log = msg


class _ToStructlog(logging.Handler):
    """Passes a library's record on."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, "library.warned", logger=record.name, message=record.getMessage())
