"""A deviation of a device from a rule, without loss of a value; the same event for every protocol."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Deviation:
    """The device broke a rule and the session continued. `sentence` holds no measured value; `octets` may, so they are
    never logged.

    Each kind is emitted once in an association or connection, so that a device that repeats an error does not flood its
    record. `key` is the stable name of its row in `ieee11073.tolerances`, which has the action taken and its reason;
    empty: there is no such row.
    """

    sentence: str
    clause: str
    octets: bytes = field(repr=False)
    key: str = ""
