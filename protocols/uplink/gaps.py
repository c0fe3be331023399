"""A gap record: what a lane no longer has, from which sequence to which, and why (D2).

It is the payload of a batch of kind `gap` that stands in for the batches it replaces: the batch's `sequence` is
`from_sequence` and its `previous_hash` is `chain_before`; the next batch follows on `chain_after`. It is idempotent
by range: a cloud fills only what it lacks, and a later, wider gap is no conflict, because what was there stays
there.
"""

from dataclasses import dataclass
from enum import StrEnum

from protocols.uplink.limits import SEQUENCE_MAX
from protocols.uplink.messages import Fields, write_message

_CLAUSE = "uplink gap v1"


class GapReason(StrEnum):
    """Why batches went."""

    RETENTION = "retention"
    """Delivered long ago; the cloud asked for them again after their time was over."""
    DISK_BUDGET = "disk_budget"
    """Never delivered: the lane's share of the disk was full."""
    DECIMATED = "decimated"
    """Waveform detail was thinned for want of space."""
    DAMAGED = "damaged"
    """The stored block could not be read back; it lies in quarantine on the gateway."""
    STORE_FULL = "store_full"
    """Never stored: only the reserve of the disk was left. Counts observations that never had a sequence; the record
    covers a sequence of its own and passes the chain on unchanged."""
    NOT_STORED = "not_stored"
    """Never stored although there was room: values that came faster than they could be taken, or in a form that the
    record does not have. Counts values that never had a sequence, as STORE_FULL does; of Bluetooth notifications, which
    may hold several values each, it counts the notifications."""
    CLOUD_RESTORED = "cloud_restored"
    """The cloud lost them and the gateway has them no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The sequences `from_sequence`…`through_sequence` of a lane are gone.

    `batches` and `observations` count what went, as far as it is known; `first_us` and `last_us` are the gateway's
    wall times of the first and the last of them, None where unknown. `chain_before` and `chain_after` are the
    hashes before the first and of the last.
    """

    from_sequence: int
    through_sequence: int
    why: GapReason
    batches: int
    observations: int
    first_us: int | None
    last_us: int | None
    chain_before: bytes
    chain_after: bytes


def encode_gap(gap: Gap) -> bytes:
    """`gap` as a batch's payload."""
    return write_message(
        {
            "from": gap.from_sequence,
            "through": gap.through_sequence,
            "why": gap.why.value,
            "batches": gap.batches,
            "observations": gap.observations,
            "first_us": gap.first_us,
            "last_us": gap.last_us,
            "chain_before": gap.chain_before.hex(),
            "chain_after": gap.chain_after.hex(),
        }
    )


def decode_gap(data: bytes) -> Gap:
    """A gap record from a batch's payload. RemoteProtocolError and nothing else, on any bytes."""
    fields = Fields.of(data, _CLAUSE)
    first = fields.integer("from", least=1, most=SEQUENCE_MAX)
    try:
        why = GapReason(fields.text("why", limit_length=32))
    except ValueError:
        raise fields.wrong("no such reason for a gap") from None
    return Gap(
        from_sequence=first,
        through_sequence=fields.integer("through", least=first, most=SEQUENCE_MAX),
        why=why,
        batches=fields.integer("batches", least=0),
        observations=fields.integer("observations", least=0),
        first_us=fields.optional_integer("first_us"),
        last_us=fields.optional_integer("last_us"),
        chain_before=fields.hash("chain_before"),
        chain_after=fields.hash("chain_after"),
    )
