"""Field change: one statement of one author about one element of a care record. The record is the log of them."""

from dataclasses import dataclass
from enum import StrEnum

from protocols.uplink.limits import IDENTIFIER_LENGTH_MAX

ID_LENGTH_MAX = IDENTIFIER_LENGTH_MAX
KEY_LENGTH_MAX = 64
"""Longest key of an element: group, dot, name. The catalogue's longest has 31 characters."""
ENTRY_LENGTH_MAX = 128
"""Longest id of an entry: that of an entry within an entry, two identifiers and a slash."""
AUTHOR_LENGTH_MAX = 64
DISPATCH_AUTHOR = "cad"
"""Author of what a dispatch system states (CAD: computer-aided dispatch). Its statements stand behind those of people.
"""
REPLACES_MAX = 8
"""Most changes that one change replaces: more than the authors that may contradict each other in one vehicle."""
REASON_LENGTH_MAX = 32
"""Longest name of a pertinent negative or of a reason for a missing value."""


class Action(StrEnum):
    """Effect of a change."""

    SET = "set"
    """State the content of the element. For an element with many values: add this value."""
    REMOVE = "remove"
    """Withdraw the content of the element. For an element with many values: withdraw this value. Without `replaces`,
    everything that was stated before is withdrawn; otherwise only that, and what the author stated."""
    VOID = "void"
    """Declare a whole entry as wrong, such as a dose that was not given. `key` is the name of its group, and `value`
    the reason. Nothing is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One change of one element.

    `id` is chosen by the client, and identifies the change for ever: a repeated id is the same change. `encounter` is
    the cloud's id of the encounter. `entry` is the id of the entry of a repeated group, None in other groups.

    The content is a `value`, a pertinent `negative` (some elements permit both together), or the reason for which it is
    `not_recorded`. All three are texts, so that a newer vehicle's words pass through an older cloud. `author` is the id
    of a crew member or of a program, never a name.

    `device_time_us` is the time of the tablet that the author used, as it stated it, and `gateway_time_us` the
    gateway's wall clock when it stored the change; both in µs since 1970. Either may be wrong by years, so neither
    decides about order. `replaces` are the ids of the changes whose content the author saw and changed; empty: the
    author saw no content.
    """

    id: str
    encounter: str
    key: str
    author: str
    gateway_time_us: int
    action: Action = Action.SET
    entry: str | None = None
    value: str | None = None
    negative: str | None = None
    not_recorded: str | None = None
    device_time_us: int | None = None
    replaces: tuple[str, ...] = ()

    @property
    def content(self) -> tuple[str | None, str | None, str | None]:
        """The value, the pertinent negative, and the reason for a missing value."""
        return self.value, self.negative, self.not_recorded
