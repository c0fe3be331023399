"""A rule that a device broke without losing a value by it; the same event for every protocol."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Deviation:
    """The device broke a rule and the conversation went on. `sentence` holds no measured value; `octets` may, so they
    are never logged.

    Each kind is emitted once an association or connection, so that a device with a habit does not flood its own record.
    `key` is the stable name of its row in `ieee11073.tolerances`, which says what was done about it and why; empty:
    there is no such row.
    """

    sentence: str
    clause: str
    octets: bytes = field(repr=False)
    key: str = ""
