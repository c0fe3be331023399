"""One row of the table `batches` (a batch, or a gap record that replaces a range of batches), and the numbers that
stand for lanes and batch kinds in the file. These numbers are part of the file format and never change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.buffer.database import StoreRow
from protocols.provenance.hash_chain import HASH_BYTES
from protocols.uplink.envelope import Batch, BatchKind
from protocols.uplink.lanes import Lane

LANE_NUMBERS = {Lane.EVENT: 0, Lane.EPCR: 1, Lane.NUMERIC: 2, Lane.WAVEFORM: 3}
KIND_NUMBERS = {BatchKind.OBSERVATIONS: 1, BatchKind.EVENT: 2, BatchKind.EPCR: 3, BatchKind.GAP: 4}
LANES = {number: lane for lane, number in LANE_NUMBERS.items()}
KINDS = {number: kind for kind, number in KIND_NUMBERS.items()}

SEQUENCE_BITS = 56
"""Number of bits of a sequence number: enough for a thousand batches a second over two million years."""

SEQUENCE_MASK = (1 << SEQUENCE_BITS) - 1


class Misread(Exception):
    """A row holds what no row can hold: the file was changed under us."""


def position_of(lane: Lane, sequence: int) -> int:
    """Return the primary key of a batch: lane number × 2⁵⁶ + sequence."""
    return LANE_NUMBERS[lane] << SEQUENCE_BITS | sequence


def span_of(lane: Lane, first: int, last: int = SEQUENCE_MASK) -> tuple[int, int]:
    """Return the lowest and the highest primary key of the sequences `first`…`last`, for BETWEEN in SQL. The range is
    empty when last < first."""
    return position_of(lane, first), position_of(lane, min(max(last, 0), SEQUENCE_MASK))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table `batches`; schema.sql describes each field. `nonce` and `sealed` are empty if the row is not
    sealed yet or was read without these columns."""

    lane: Lane
    sequence: int
    through: int
    kind: BatchKind
    count: int
    created_at_us: int
    kept_us: int
    observations_total: int
    bytes_total: int
    boot_id: str
    previous_hash: bytes
    row_hash: bytes
    nonce: bytes = b""
    sealed: bytes = b""

    @property
    def lane_number(self) -> int:
        return LANE_NUMBERS[self.lane]

    @property
    def kind_number(self) -> int:
        return KIND_NUMBERS[self.kind]

    @property
    def position(self) -> int:
        return position_of(self.lane, self.sequence)

    def columns(self, nonce: bytes, sealed: bytes) -> tuple[object, ...]:
        """Return the values in the order of the statement `insert_batch`."""
        return (
            self.position,
            self.through,
            self.kind_number,
            self.count,
            self.created_at_us,
            self.kept_us,
            self.observations_total,
            self.bytes_total,
            self.boot_id,
            self.previous_hash,
            self.row_hash,
            nonce,
            sealed,
        )

    @classmethod
    def of(cls, columns: Sequence[Any]) -> "Row":
        """Build a row from 11 columns, or 13 with `nonce` and `sealed`. Raises Misread for an impossible value."""
        position, through, kind, count, created_at_us, kept_us, observations, octets, boot_id, before, after = columns[
            :11
        ]
        nonce, sealed = columns[11:13] if len(columns) == 13 else (b"", b"")
        numbers = (position, through, kind, count, created_at_us, kept_us, observations, octets)
        blobs = (before, after, nonce, sealed)
        if (
            not all(isinstance(number, int) for number in numbers)
            or not all(isinstance(blob, bytes) for blob in blobs)
            or not isinstance(boot_id, str)
            or len(before) != HASH_BYTES
            or kind not in KINDS
            or position >> SEQUENCE_BITS not in LANES
        ):
            raise Misread
        return cls(
            lane=LANES[position >> SEQUENCE_BITS],
            sequence=position & SEQUENCE_MASK,
            through=through,
            kind=KINDS[kind],
            count=count,
            created_at_us=created_at_us,
            kept_us=kept_us,
            observations_total=observations,
            bytes_total=octets,
            boot_id=boot_id,
            previous_hash=before,
            row_hash=after,
            nonce=nonce,
            sealed=sealed,
        )


def batch_of(row: Row, payload: bytes, about: StoreRow) -> Batch:
    """Build the batch of `row` from its decrypted `payload`. A gap record holds no observations, so its count is 0."""
    return Batch(
        gateway=about.gateway,
        epoch=about.epoch,
        lane=row.lane,
        sequence=row.sequence,
        kind=row.kind,
        count=0 if row.kind is BatchKind.GAP else row.count,
        created_at_us=row.created_at_us,
        boot_id=row.boot_id,
        previous_hash=row.previous_hash,
        payload=payload,
    )
