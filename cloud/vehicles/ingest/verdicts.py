"""The verdicts of ingest on one batch, as values; each is matched exhaustively.

They are values and not exceptions: a duplicate, a missing predecessor or a second box with the same name is ordinary in
a fleet that resends until it gets an acknowledgement. Only `Stored` and `Ahead` add rows. `acks` builds the
acknowledgement; `group` and `aside` quarantine batches and emit events.
"""

from dataclasses import dataclass

from cloud.vehicles.custody import ChainedBatch, LinkState, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The changes to a lane by storing a batch.

    `fills` are the sequences that it newly covers: its own for a real batch (also when a gap replaced it), the missing
    parts of the range for a gap. `resolved` are the batches right behind it whose link could be judged only now.
    """

    link: LinkState
    fills: tuple[Range, ...]
    resolved: tuple[ChainedBatch, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """The batch is new, and nothing before it is missing."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Ahead:
    """The batch is new and stored, but earlier sequences are missing; the acknowledgement names them."""

    entry: Entry
    missing: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same bytes are held already, or it is a gap over a covered range. Acknowledged again, nothing is written."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another authentic batch has this sequence: two boxes claim one identity. The second is quarantined, the first
    stays.
    """

    held_hash: bytes


@dataclass(frozen=True, slots=True)
class Scattered:
    """Storing the batch would leave more holes than a lane may have. Not stored; the gateway fills the named holes
    first.
    """

    missing: tuple[Range, ...]


LaneVerdict = Stored | Ahead | Duplicate | Conflict | Scattered
"""The verdict on an authentic batch, given its lane."""


@dataclass(frozen=True, slots=True)
class CurrentEpoch:
    """The gateway's current epoch, or an earlier one that is still draining."""


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """The epoch of a new store: of a replaced gateway, or its first. `replaces` is the previous epoch, None for the
    first.
    """

    replaces: str | None


@dataclass(frozen=True, slots=True)
class EarlierEpoch:
    """An epoch of which only history arrives: a gateway recovered it from a store that it set aside before any of it
    reached the cloud.
    """


@dataclass(frozen=True, slots=True)
class ReturnedEpoch:
    """An earlier epoch continues after a newer one had begun: two boxes use one identity in turn."""

    instead_of: str


EpochVerdict = CurrentEpoch | NewEpoch | EarlierEpoch | ReturnedEpoch
