"""The verdicts of ingest on a batch, as values; every `match` on them is exhaustive.

They are no exceptions, because each is ordinary in a fleet that resends until it gets an acknowledgement: a duplicate,
a missing predecessor, a second box with the same name. Only `Stored` and `Ahead` add rows. `acks` builds the
acknowledgement; `group` and `aside` quarantine batches and emit events.
"""

from dataclasses import dataclass

from cloud.vehicles.custody import ChainedBatch, LinkState, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The changes to a lane when a batch is stored.

    `fills` are the sequence numbers that become held: the batch's own number, also if a gap record covered it before;
    for a gap record the missing parts of its range. `resolved` are the batches that follow directly and whose pending
    links are now decided.
    """

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
    """The same batch is already stored, or a gap record covers only held numbers. It is acknowledged and not
    written."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A different authentic batch has this sequence number: two boxes use one identity.

    The new batch is quarantined, and the stored one stays.
    """

    held_hash: bytes


@dataclass(frozen=True, slots=True)
class Scattered:
    """Storing the batch would leave more missing ranges than a lane may have. It is not stored.

    The acknowledgement lists the `missing` ranges, which the gateway sends first.
    """

    missing: tuple[Range, ...]


LaneVerdict = Stored | Ahead | Duplicate | Conflict | Scattered
"""The verdict on an authentic batch by the state of its lane."""


@dataclass(frozen=True, slots=True)
class CurrentEpoch:
    """The batch is of the gateway's current epoch, or of an earlier one that it may still send."""


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """The batch begins a new epoch: the gateway is new, was replaced or has a new store.

    `replaces` is the previous epoch, None for the gateway's first.
    """

    replaces: str | None


@dataclass(frozen=True, slots=True)
class EarlierEpoch:
    """A historical batch of an epoch that the cloud did not know.

    The gateway recovered it from a damaged store of which nothing had reached the cloud.
    """


@dataclass(frozen=True, slots=True)
class ReturnedEpoch:
    """An earlier epoch continues after a newer one began (`instead_of`): two boxes use one identity."""

    instead_of: str


EpochVerdict = CurrentEpoch | NewEpoch | EarlierEpoch | ReturnedEpoch
