"""The verdicts of ingest on a batch, as values; every `match` on them is exhaustive.

They are no exceptions, because each is ordinary in a fleet that resends: a duplicate, a missing predecessor, a second
box with the same name. Only `Stored` and `Ahead` add rows.
"""

from dataclasses import dataclass

from cloud.vehicles.custody import ChainedBatch, LinkState, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The changes to a lane (numbered stream of batches) when a batch is stored. `fills`: the sequence numbers that the
    cloud now holds. For a batch this is its own number, even if a gap record covered the number; for a gap record, the
    missing parts of its range. `resolved`: following batches whose links are now decided."""

    link: LinkState
    fills: tuple[Range, ...]
    resolved: tuple[ChainedBatch, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """The batch is new and stored, and no earlier sequence number is missing."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Ahead:
    """The batch is new and stored, but earlier sequence numbers are missing; the acknowledgement lists them."""

    entry: Entry
    missing: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The batch is already stored, or is a gap record whose whole range the cloud holds. The batch is acknowledged and
    not written."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another authentic batch has this sequence number: two boxes use one identity. The new batch is quarantined, and
    the stored one stays."""

    held_hash: bytes


@dataclass(frozen=True, slots=True)
class Scattered:
    """The batch is not stored, since it would leave too many missing ranges of sequence numbers in the lane. The
    acknowledgement lists the `missing` ranges, which the gateway sends first."""

    missing: tuple[Range, ...]


LaneVerdict = Stored | Ahead | Duplicate | Conflict | Scattered
"""The verdict on an authentic batch by the state of its lane."""


@dataclass(frozen=True, slots=True)
class CurrentEpoch:
    """The batch is of the gateway's current epoch (life of its store), or of an earlier one that it may still send."""


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """The batch begins a new epoch: the gateway is new, was replaced or has a new store. `replaces` is the previous
    epoch, None for the gateway's first."""

    replaces: str | None


@dataclass(frozen=True, slots=True)
class EarlierEpoch:
    """A historical batch of an unknown epoch (life of a gateway's store), which the gateway recovered from a damaged
    store."""


@dataclass(frozen=True, slots=True)
class ReturnedEpoch:
    """An earlier epoch (life of a gateway's store) continues after the newer epoch `instead_of` began: two boxes use
    one identity."""

    instead_of: str


EpochVerdict = CurrentEpoch | NewEpoch | EarlierEpoch | ReturnedEpoch
