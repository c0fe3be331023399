"""The answers that ingest can give to one batch, as values; each is matched exhaustively.

Why values: a second copy, a hole before it, or a rival with the same name are ordinary in a fleet that sends again
until it is answered. Only `Stored` and `Ahead` add rows. What each means for the gateway's acknowledgement is in
`acks`, what is quarantined and which event is emitted in `outcome`.
"""

from dataclasses import dataclass

from cloud.vehicles.custody import ChainedBatch, LinkState, Range
from cloud.vehicles.fleet import GatewayAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What storing a batch adds to its lane.

    `fills` are the sequences it newly accounts for: its own for a real batch (also when a gap stood in for it), the
    lacking parts of the range for a gap. `resolved` are the batches right behind it whose link could be judged only
    now.
    """

    link: LinkState
    fills: tuple[Range, ...]
    resolved: tuple[ChainedBatch, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """New, and nothing before it is missing."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Ahead:
    """New and stored too, but earlier sequences are missing; the acknowledgement names them."""

    entry: Entry
    missing: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Held already, octet for octet, or a gap over what is accounted for. Acknowledged again, nothing is written."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another authentic batch has this sequence: two boxes claim one identity. The second is quarantined, the first
    stays."""

    held_hash: bytes


@dataclass(frozen=True, slots=True)
class Scattered:
    """Storing it would leave more holes than a lane may have. Not stored; the gateway fills the named holes first."""

    missing: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Forged:
    """The signature is not the registered key's. Quarantined, never acknowledged."""


@dataclass(frozen=True, slots=True)
class UnknownGateway:
    """Nobody registered this gateway with this tenant. Quarantined, never acknowledged."""


@dataclass(frozen=True, slots=True)
class ShutOut:
    """The gateway is suspended or revoked. Quarantined, never acknowledged: a gateway that is resumed sends it
    again."""

    access: GatewayAccess


@dataclass(frozen=True, slots=True)
class Malformed:
    """The octets are no envelope, or the envelope is not its topic's. Quarantined, never acknowledged: nothing says
    whose it is. `reason` quotes the rule, never the content."""

    reason: str


LaneVerdict = Stored | Ahead | Duplicate | Conflict | Scattered
"""About an authentic batch, given its lane."""

Refusal = Malformed | UnknownGateway | ShutOut | Forged
"""Before any lane is looked at."""


@dataclass(frozen=True, slots=True)
class CurrentEpoch:
    """The epoch that the gateway is known to write now, or an older one still draining."""


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """A store that was created since: a replaced gateway, or its first. `replaces` is the epoch before, None for the
    first."""

    replaces: str | None


@dataclass(frozen=True, slots=True)
class EarlierEpoch:
    """An epoch of which only history arrives: what a gateway recovered of a store that it set aside before the cloud
    ever heard of it."""


@dataclass(frozen=True, slots=True)
class ReturnedEpoch:
    """An older epoch goes on after a newer one had begun: two boxes take turns under one identity."""

    instead_of: str


EpochVerdict = CurrentEpoch | NewEpoch | EarlierEpoch | ReturnedEpoch
