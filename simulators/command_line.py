"""Shared parts of the `argus-sim` commands: error messages, addresses, log output, and signals."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import typer


class Refusal(Exception):
    """A command failed. The text has the reason and the remedy."""


@contextmanager
def refusing(*others: type[Exception]) -> Iterator[None]:
    """Convert the simulators' own errors in the block, and those of the types `others`, to a sentence on standard error
    and exit code 1."""
    from gateway.transports.capture import CaptureError
    from simulators.agents.device import DeviceUnusable
    from simulators.replay.wfdb_header import RecordUnusable
    from simulators.scenarios import UnknownScenario

    ours: tuple[type[Exception], ...] = (
        CaptureError,
        DeviceUnusable,
        RecordUnusable,
        Refusal,
        UnknownScenario,
        OSError,
        *others,
    )
    try:
        yield
    except ours as error:
        refused: BaseException = error
    except ExceptionGroup as group:  # raised by the tasks of a running agent or fleet
        refused = _first(group)
        if not isinstance(refused, ours):
            raise
    else:
        return
    typer.echo(f"argus-sim: {_sentence(refused)}", err=True)
    raise typer.Exit(1)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _sentence(error: BaseException) -> str:
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error or type(error).__name__}"


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of the text `HOST:PORT`. Raises Refusal."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise Refusal(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def log_to_stderr() -> None:
    import structlog

    # Looked up at each line: a test may replace the stream.
    structlog.configure(logger_factory=lambda *names: structlog.PrintLogger(sys.stderr))


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` when the process gets SIGINT or SIGTERM. Needs a running event loop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def run_until_stopped(running: Coroutine[Any, Any, None], stop: Callable[[], None]) -> None:
    """Run a device until it ends. SIGINT and SIGTERM call `stop`; the device then sends its last measurements."""
    stop_on_signals(stop)
    await running
