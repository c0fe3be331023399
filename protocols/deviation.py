"""A deviation of a device from a rule of its protocol. The event is the same for every protocol."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Deviation:
    """Event: the device broke a rule and the session continues. `sentence` describes the deviation and contains no
    measured value. `octets` may contain one, so they are never logged.

    Each kind is emitted once in an association or connection, so that a device that repeats an error does not flood its
    record. `key` is the stable name of the row of `ieee11073.tolerances` that has the action taken and its reason;
    empty: no row describes this deviation.
    """

    sentence: str
    clause: str
    octets: bytes = field(repr=False)
    key: str = ""
