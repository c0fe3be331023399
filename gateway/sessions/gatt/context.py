"""The parts that every GATT session of one gateway shares, in addition to `SessionContext`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.buffer import Buffer
from gateway.sessions.gatt.known_measurements import KnownMeasurements
from gateway.sessions.gatt.record_fetching import FetchRules
from gateway.sessions.gatt.record_marks import RecordMarks


async def ignore(*_: str) -> None:
    """Do nothing. This is the callback where none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GattContext:
    """Shared parts of all GATT sessions. `identify` is called with address and system id of an identified device."""

    store: Buffer
    marks: RecordMarks = field(default_factory=RecordMarks)
    known: KnownMeasurements = field(default_factory=KnownMeasurements)
    rules: FetchRules = field(default_factory=FetchRules)
    clock_read_every_s: float = 1800.0
    identify: Callable[[str, str], Awaitable[None]] = ignore
