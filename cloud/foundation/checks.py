"""Readiness checks. The reason that a failed check returns contains no address, user or secret."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from cloud.foundation.db import Database, check_usable, read_revision
from cloud.foundation.errors import DomainError
from cloud.foundation.supplies import Need

# A part whose check exceeds this time is not ready; load balancers themselves wait only a few seconds.
CHECK_S_MAX = 2.0


class Check(Protocol):
    """A check of one part that must work for the process to be ready."""

    @property
    def part(self) -> str: ...

    async def why_not(self) -> str | None:
        """Return the reason why the part does not work, or None."""
        ...


CHECKS: Need[Sequence[Check]] = Need("the parts of this process that readiness examines")


class DatabaseCheck:
    """Checks that the database is reachable and at a revision that this program can use."""

    part = "database"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def why_not(self) -> str | None:
        try:
            check_usable(await read_revision(self._database))
        except DomainError as error:
            return error.sentence
        return None


class BrokerCheck:
    """Checks that ingest is connected to the broker."""

    part = "broker"

    def __init__(self, connected: Callable[[], bool]) -> None:
        self._connected = connected

    async def why_not(self) -> str | None:
        return (
            None
            if self._connected()
            else "The broker is not connected. Batches are queued in the broker and in the vehicles."
        )


class StoppingCheck:
    """Reports not ready after a stop was requested, so that the process gets no new requests."""

    part = "process"

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping

    async def why_not(self) -> str | None:
        return "The process is stopping." if self._stopping.is_set() else None


async def reasons_against(checks: Sequence[Check], patience_s: float) -> Mapping[str, str]:
    """Run all checks concurrently. Return a mapping from the name of each part that failed or took longer than
    `patience_s` to the reason."""
    findings = await asyncio.gather(*(_run(check, patience_s) for check in checks))
    return {check.part: why for check, why in zip(checks, findings, strict=True) if why is not None}


async def _run(check: Check, patience_s: float) -> str | None:
    try:
        async with asyncio.timeout(patience_s):
            return await check.why_not()
    except TimeoutError:
        return "The check timed out."
    except Exception as error:
        return f"The check itself failed ({type(error).__name__})."
