"""Gap record: a range of sequences that a lane no longer has, and the reason (DESIGN D2).

It is the payload of a batch of kind `gap` that replaces the dropped batches in the hash chain: the `sequence` of this
batch is `from_sequence`, its `previous_hash` is `chain_before`, and the next batch continues from `chain_after`. A gap
record may be received repeatedly. The cloud applies it only to sequences that it has not stored, so a later, wider
record is no conflict.
"""

from dataclasses import dataclass
from enum import StrEnum

from protocols.uplink.limits import SEQUENCE_MAX
from protocols.uplink.messages import Fields, write_message

_CLAUSE = "uplink gap v1"


class GapReason(StrEnum):
    RETENTION = "retention"
    """The batches were delivered, and the cloud requested them again after their retention time."""
    DISK_BUDGET = "disk_budget"
    """The batches were never delivered: the lane's share of the disk was full."""
    DECIMATED = "decimated"
    """Waveform detail was reduced to save space."""
    DAMAGED = "damaged"
    """The stored block could not be read; it is in quarantine on the gateway."""
    STORE_FULL = "store_full"
    """Never stored: only the reserve of the disk was left. Counts observations that never had a sequence; the record
    covers a sequence of its own and passes the chain on unchanged."""
    NOT_STORED = "not_stored"
    """Never stored although there was room: values that arrived faster than they could be processed, or in a form that
    the record does not have. Counts values that never had a sequence, as STORE_FULL does; of Bluetooth notifications,
    which may hold several values each, it counts the notifications."""
    CLOUD_RESTORED = "cloud_restored"
    """The cloud lost the batches, and the gateway no longer has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Gap: the sequences `from_sequence`…`through_sequence` of a lane were dropped for the reason `why`.

    `batches` and `observations` count what was dropped, as far as known. `first_us` and `last_us` are the gateway's
    wall times of the first and the last dropped batch, None where unknown. `chain_before` is the chain hash before the
    first dropped batch, `chain_after` the hash of the last.
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
    """Decode a gap record from the payload of a batch. Raises only `RemoteProtocolError`."""
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
