"""Turns expected errors into one sentence on standard error and an exit code.

Exit code 1: the command failed. Exit code 2: the command line was wrong (Typer's own code). The functions of a command
raise the product's own errors; `refusing` catches only these and OSError. Any other exception is a bug.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


class Refusal(Exception):
    """A command cannot go on; the text explains why and what to do."""


def refuse(sentence: str) -> typer.Exit:
    """Print `sentence` on standard error and return the exception for the caller to raise."""
    typer.echo(f"argus-gateway: {sentence}", err=True)
    return typer.Exit(1)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn an expected error inside the block into a sentence and exit code 1."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise refuse(f"{where}{error.strerror or type(error).__name__}") from None
    except Exception as error:
        if not isinstance(error, _expected()):
            raise
        raise refuse(str(error)) from None


def _expected() -> tuple[type[Exception], ...]:
    """Return the product's own error classes, imported only after a failure, because most commands need few of them."""
    from gateway.buffer.errors import BufferError as StoreError
    from gateway.console.control import ControlUnavailable, GatewayRuns
    from gateway.security.crew_members import CrewMembersUnusable
    from gateway.security.crew_pin import CrewPinUnusable
    from gateway.security.identity import IdentityUnusable
    from gateway.security.vehicle_authority import AuthorityUnusable
    from gateway.settings import SettingsError
    from gateway.transports.ble.backend import BleBackendUnusable
    from gateway.transports.capture import CaptureError
    from gateway.transports.recorded_agent import NoConfiguration

    return (
        AuthorityUnusable,
        BleBackendUnusable,
        CaptureError,
        ControlUnavailable,
        CrewMembersUnusable,
        CrewPinUnusable,
        GatewayRuns,
        IdentityUnusable,
        NoConfiguration,
        Refusal,
        SettingsError,
        StoreError,
    )
