"""Deviation of a device from a rule of its protocol: one event for every protocol."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Deviation:
    """Event: the device broke a rule and the session continues. `sentence` describes the deviation and contains no
    measured value. `octets` may contain a measured value, so they are never logged. `key` names the row of
    `ieee11073.tolerances` with the action taken and its reason; it is empty if no row applies.

    Each kind of deviation is emitted once in an association or connection, so that a repeated error does not flood the
    record.
    """

    sentence: str
    clause: str
    octets: bytes = field(repr=False)
    key: str = ""
