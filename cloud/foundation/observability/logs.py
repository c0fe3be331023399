"""Log lines: each is one JSON object on standard error, with an event name (`gateway.registered`) and fields.

A line has no patient data: call sites log identifiers, counts and codes. An exception is logged by its type and stack
frames, without variables and without its message, since both may quote a value. Of a library's message only the first
line is written, since asyncio's further lines quote the task and its exception.
"""

import logging
import sys
from typing import Any

import orjson
import structlog

_LIBRARIES = logging.WARNING
# Its access log would contain URLs, which may have names of people and codes; our own middleware logs safe fields.
_SILENT = ("aiohttp.access",)
_LOGGED = ("exc_type", "is_cause", "frames")
"""Fields of an exception in a log line."""


def configure_logs(level: str) -> None:
    """Configure logging once, at the start of a process. `level` is debug, info, warning or error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_frames_of),
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=_StandardError,
        cache_logger_on_first_use=False,  # a logger of an imported module must not keep an older configuration
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=_LIBRARIES, force=True)
    for name in _SILENT:
        logging.getLogger(name).disabled = True


_transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def _frames_of(exc_info: structlog.typing.ExcInfo) -> list[dict[str, Any]]:
    return [{name: value for name, value in each.items() if name in _LOGGED} for each in _transform(exc_info)]


def _json(event: dict[str, Any], **_: object) -> bytes:
    return orjson.dumps(event, default=str)


class _StandardError:
    """Writes whole lines to the current `sys.stderr`."""

    def __init__(self, *_: object) -> None:
        return

    def msg(self, line: bytes) -> None:
        sys.stderr.buffer.write(line + b"\n")
        sys.stderr.buffer.flush()

    debug = info = warning = error = critical = exception = log = msg


class _ToStructlog(logging.Handler):
    """Forwards the log records of libraries to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage().partition("\n")[0]
        structlog.get_logger().log(
            record.levelno, "library.warned", logger=record.name, message=message, exc_info=record.exc_info
        )
