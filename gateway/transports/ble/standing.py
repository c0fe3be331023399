"""Count the failures of one device and select the next recovery step.

Each step disturbs more than the one before, so it is used only when the earlier steps did not help:

1. retry, with a new client, after a wait that grows with the failures;
2. delete what the stack has cached of the device and scan again: **at most once** until the device has worked again,
   and **never where the stack holds a bond**, since BlueZ deletes the keys with the cache, and only an operator can
   make new keys;
3. switch the adapter off and on. `central` decides whether that is allowed (no link, not too often).

A device that repeatedly responds and refuses our keys has lost its bond; only an operator can help.

Pure: no clock, no stack.
"""

from dataclasses import dataclass
from enum import Enum

from gateway.transports.ble.faults import Fault, FaultKind

FORGET_AFTER = 2
POWER_CYCLE_AFTER = 6
KEYS_AFTER = 2

_CACHE_MAY_BE_OLD = frozenset({FaultKind.TABLE, FaultKind.SILENT, FaultKind.OTHER})
_ADAPTER_MAY_HANG = frozenset({FaultKind.SILENT, FaultKind.BUSY, FaultKind.TABLE, FaultKind.OTHER})


class Rung(Enum):
    """Recovery steps to run before the next attempt."""

    AGAIN = "again"
    FORGET = "forget"
    POWER_CYCLE = "power cycle"
    ASK_OPERATOR = "operator needed"


@dataclass(slots=True)
class Standing:
    """Failures and next recovery step of one device."""

    failures: int = 0
    """Number of failures in a row."""
    refusals: int = 0
    """Number of times in a row that it refused our keys."""
    forgotten: bool = False
    """True when the cache was dropped since it last worked."""
    words: str = ""
    """The reason that the last try failed; "" after one that worked."""
    due: Rung = Rung.AGAIN
    """The recovery step before the next try."""
    not_before_s: float = 0.0
    """Advertisements before this moment, monotonic, do not prove that it is in range."""

    def worked(self) -> None:
        """Reset the failures after a link on which the device responded."""
        self.failures = self.refusals = 0
        self.forgotten = False
        self.words = ""
        self.due = Rung.AGAIN

    def failed(self, fault: Fault, *, bonded: bool) -> None:
        """Count a failed attempt to connect the device, and set `due` to the next recovery step. `bonded`: the stack
        holds keys for the device."""
        self.failures += 1
        self.words = fault.words
        self.refusals = self.refusals + 1 if fault.kind is FaultKind.KEYS else 0
        self.due = self._rung(fault.kind, bonded)

    def _rung(self, kind: FaultKind, bonded: bool) -> Rung:
        if self.refusals >= KEYS_AFTER:
            return Rung.ASK_OPERATOR
        old = kind is FaultKind.STALE or (kind in _CACHE_MAY_BE_OLD and self.failures >= FORGET_AFTER)
        if old and not bonded and not self.forgotten:
            self.forgotten = True
            return Rung.FORGET
        if kind in _ADAPTER_MAY_HANG and self.failures % POWER_CYCLE_AFTER == 0:
            return Rung.POWER_CYCLE
        return Rung.AGAIN
