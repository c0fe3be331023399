"""Faults of Bluetooth devices: this transport's errors, and the kind of fault behind each error of a stack.

Stacks report the same fault in many ways, so a table maps fragments of an error's text to kinds. Kinds differ in their
remedy. The numbers in comments of this package are those of the misbehaviours in section 5 of the founders' reference
on testing Bluetooth.
"""

from enum import StrEnum
from typing import NamedTuple

from bleak.exc import BleakBluetoothNotAvailableError, BleakDeviceNotFoundError, BleakGATTProtocolError

from protocols.waits import doubled_s

_NEEDS_KEYS = frozenset({0x05, 0x08, 0x0C, 0x0F})
"""ATT errors that need keys: insufficient authentication, authorization, key size, encryption."""


class BleLost(Exception):
    """The link has ended, or the device did not respond in time, which ends it. The text explains why."""


class BleGattError(Exception):
    """The device refused one request; the link goes on. `code` is the ATT error, None where the stack refused."""

    def __init__(self, what: str, code: int | None, reason: str) -> None:
        self.code = code
        super().__init__(f"{what} was refused: {reason}")

    @property
    def needs_keys(self) -> bool:
        """True when the device requires an encrypted link: the device must be paired, or paired again."""
        return self.code in _NEEDS_KEYS


class BleUnreachable(Exception):
    """No link came about; the text has the reason and the remedy. `bond_lost`: the device is there and refuses our
    keys."""

    def __init__(self, words: str, *, bond_lost: bool = False) -> None:
        self.bond_lost = bond_lost
        super().__init__(words)


class FaultKind(StrEnum):
    """Kinds of fault, distinguished by the remedy before the next attempt."""

    PASSING = "passing"
    """Interference, or a race inside the stack: retry soon."""
    ABSENT = "absent"
    """The stack does not know the device (any more): it has to be heard again."""
    BUSY = "busy"
    """Another operation is running inside the stack: retry later, after ending it."""
    CROWDED = "crowded"
    """The adapter holds as many links as it can: retry later."""
    TABLE = "table"
    """The table of services is empty or did not come."""
    STALE = "stale"
    """The table of services is incomplete: it may be the stack's stale copy."""
    SILENT = "silent"
    """No response in time."""
    KEYS = "keys"
    """The two do not have the same keys."""
    OFF = "off"
    """No adapter or no stack."""
    OTHER = "other"


class Fault(NamedTuple):
    """A fault. `words` describes it for the operator and ends without a full stop."""

    kind: FaultKind
    words: str


class TableFault(Exception):
    """The device's table of services cannot be used; the text names what is missing. `stale`: it was read, and lacks
    something."""

    def __init__(self, words: str, *, stale: bool = False) -> None:
        self.stale = stale
        super().__init__(words)


# First match wins, so the narrower fragment stands first. Fragments are of the error's text in lower case.
_FRAGMENTS: tuple[tuple[str, FaultKind, str], ...] = (
    ("key-missing", FaultKind.KEYS, "it does not have the keys of our bond"),
    ("key missing", FaultKind.KEYS, "it does not have the keys of our bond"),
    ("authenticationfailed", FaultKind.KEYS, "the two could not agree on keys"),
    ("authenticationrejected", FaultKind.KEYS, "it rejected the pairing"),
    ("authenticationcanceled", FaultKind.KEYS, "the pairing was called off"),
    ("authenticationtimeout", FaultKind.KEYS, "the pairing was not confirmed in time"),
    # 4: interference; bleak repeats it inside, within the time-out that stands around it here.
    ("le-connection-abort-by", FaultKind.PASSING, "the link broke while it was made"),
    # 5: BR/EDR chosen for a device that has both; `ControllerMode = le` in BlueZ's main.conf avoids it.
    ("br-connection-", FaultKind.PASSING, "the stack tried it over classic Bluetooth (set ControllerMode = le)"),
    ("software caused connection abort", FaultKind.PASSING, "the link broke while it was made"),
    ("le-connection-refused", FaultKind.PASSING, "the link was refused"),
    # 2: the link is there and the stack missed it. Connects are serialised, which makes it rare.
    ("failed to discover services", FaultKind.TABLE, "its services were not found before the link broke"),
    # 14
    ("connection-limit", FaultKind.CROWDED, "the adapter holds as many links as it can"),
    ("connection limit", FaultKind.CROWDED, "the adapter holds as many links as it can"),
    ("memory-allocation", FaultKind.CROWDED, "the adapter holds as many links as it can"),
    ("memory capacity", FaultKind.CROWDED, "the adapter holds as many links as it can"),
    # 15
    ("childexited", FaultKind.OFF, "bluetoothd is not running"),
    ("serviceunknown", FaultKind.OFF, "bluetoothd is not running"),
    ("namehasnoowner", FaultKind.OFF, "bluetoothd is not running"),
    ("noreply", FaultKind.OFF, "bluetoothd went away"),
    ("not-powered", FaultKind.OFF, "the adapter is switched off"),
    ("notready", FaultKind.OFF, "the adapter is switched off"),
    ("adapter", FaultKind.OFF, "the adapter has disappeared"),
    # 3
    ("inprogress", FaultKind.BUSY, "the stack is still busy with something else"),
    ("in progress", FaultKind.BUSY, "the stack is still busy with something else"),
    ("connection-busy", FaultKind.BUSY, "the stack is still busy with something else"),
    # 9: we use StartNotify throughout; this one is left over by another client and ends with the link.
    ("notify acquired", FaultKind.BUSY, "its notifications are held by a link that has ended"),
    ("already connected", FaultKind.BUSY, "the stack believes that it is connected"),
    ("already-connected", FaultKind.BUSY, "the stack believes that it is connected"),
    # 6: BlueZ forgets devices soon after a scan has stopped.
    ("unknownobject", FaultKind.ABSENT, "the stack has forgotten it"),
    ("doesnotexist", FaultKind.ABSENT, "the stack has forgotten it"),
    ("not found", FaultKind.ABSENT, "the stack has forgotten it"),
    ("timeout", FaultKind.SILENT, "it did not respond in time"),
    ("timed out", FaultKind.SILENT, "it did not respond in time"),
)


def fault_of(error: BaseException) -> Fault:
    """Return the fault that an error of a stack reports. For an error of no known kind, `words` has the error's class
    and 120 characters of the error's text, which never contains measured values."""
    if isinstance(error, TableFault):
        return Fault(FaultKind.STALE if error.stale else FaultKind.TABLE, str(error))
    if isinstance(error, BleakDeviceNotFoundError):
        return Fault(FaultKind.ABSENT, "the stack has forgotten it")
    if isinstance(error, BleakBluetoothNotAvailableError):
        return Fault(FaultKind.OFF, "there is no usable adapter")
    if isinstance(error, BleakGATTProtocolError) and int(error.code) in _NEEDS_KEYS:
        return Fault(FaultKind.KEYS, "it wants an encrypted link")
    if isinstance(error, BleLost):
        return Fault(FaultKind.PASSING, str(error))
    text = str(error).lower()
    for fragment, kind, words in _FRAGMENTS:
        if fragment in text:
            return Fault(kind, words)
    if isinstance(error, TimeoutError):
        return Fault(FaultKind.SILENT, "it did not respond in time")
    # dbus-fast reports a bus that has ended by EOFError, and by the socket's errors.
    if isinstance(error, (EOFError, OSError)):
        return Fault(FaultKind.OFF, "the D-Bus connection broke")
    return Fault(FaultKind.OTHER, f"{type(error).__name__}: {str(error)[:120]}")


_FIRST_WAIT_S = {
    FaultKind.PASSING: 0.25,
    FaultKind.ABSENT: 0.25,
    FaultKind.TABLE: 0.5,
    FaultKind.STALE: 0.5,
    FaultKind.KEYS: 0.5,
    FaultKind.BUSY: 1.0,
    FaultKind.SILENT: 1.0,
    FaultKind.OTHER: 1.0,
    FaultKind.OFF: 1.0,
    # 14: an adapter needs this long until the place of an ended link is free again.
    FaultKind.CROWDED: 4.0,
}
WAIT_S_MAX = 30.0


def wait_s(kind: FaultKind, failures: int, chance: float) -> float:
    """Return the seconds to wait after `failures` ≥ 1 failures in a row. Each failure doubles the wait, up to
    WAIT_S_MAX. `chance` in [0, 1) randomises half of the wait, so that devices which failed together do not retry
    together."""
    ceiling_s = doubled_s(_FIRST_WAIT_S[kind], failures - 1, WAIT_S_MAX)
    return ceiling_s * (0.5 + 0.5 * chance)


def refused_words(address: str, fault: Fault, bonded: bool) -> str:
    """Return the operator's sentence for a device that refuses our keys. `bonded`: the stack holds keys for it."""
    if bonded:
        return (
            f"{address} is there and refuses our keys ({fault.words}): it has forgotten its bond, was reset, or is "
            f"another device with its address; nothing is taken from it until it is paired again "
            f"(argus-gateway ble pair {address})"
        )
    return f"{address} wants an encrypted link: pair it (argus-gateway ble pair {address})"


def failed_words(address: str, fault: Fault, bonded: bool) -> str:
    """Return the operator's sentence for a device that could not be connected. `bonded`: the stack holds keys."""
    if fault.kind is FaultKind.STALE and bonded:
        # The stack drops the keys with its cache, so only an operator can try that.
        return (
            f"{address} does not show what it must: {fault.words}; if its firmware has changed, pair it again "
            f"(argus-gateway ble pair {address})"
        )
    if fault.kind is FaultKind.STALE:
        return f"{address} does not show what it must, also when read afresh: {fault.words}; it cannot be used"
    if bonded:
        return (
            f"{address} was heard and could not be connected: {fault.words}; it is tried again, and if this goes on "
            f"near by, it may have forgotten its bond: pair it again (argus-gateway ble pair {address})"
        )
    return f"{address} was heard and could not be connected: {fault.words}; it is tried again"
