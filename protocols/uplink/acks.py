"""Acknowledgement of the cloud for the batches of one lane of one epoch that its database has committed (DESIGN D3).

A gateway counts a batch as delivered only on this acknowledgement; an MQTT PUBACK confirms only that a broker has the
batch in memory. The cloud sends an acknowledgement after each commit, and one for every lane in response to a status. A
cloud that was restored from a backup acknowledges fewer batches than before, and the gateway sends the lost ones again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from protocols.uplink.lanes import Lane
from protocols.uplink.messages import Fields, write_message

MISSING_RANGES_MAX = 64
_CLAUSE = "uplink ack v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Batches of a lane that the cloud has stored.

    All batches up to `through_sequence` (0: nothing yet) are stored. Between `through_sequence` and `highest_sequence`
    the ascending `missing` ranges (first, last) list the missing batches; all others there are stored. The
    acknowledgement has no information above `highest_sequence`; a cloud that reports no ranges sets `highest_sequence`
    to `through_sequence`. `conflict`: the cloud has already stored a different batch with the identity of a batch that
    the gateway sent, and accepts no more batches of the lane.

    `through_hash` is the chain hash at `through_sequence`: the hash of the batch there or, where a gap record ends
    there, the hash that the gap record names. None: the cloud does not report the hash. In the response to a status the
    gateway compares `through_hash` with the hash in its store, since two copies of one store may have the same
    sequences with different batches.
    """

    epoch: str
    lane: Lane
    through_sequence: int
    missing: tuple[tuple[int, int], ...] = ()
    highest_sequence: int = 0
    conflict: bool = False
    through_hash: bytes | None = None

    def __post_init__(self) -> None:
        """Increase `highest_sequence` to its lowest possible value, if it is below that value: the end of the last
        `missing` range + 1, or `through_sequence` where `missing` is empty."""
        reach = self.missing[-1][1] + 1 if self.missing else self.through_sequence
        if self.highest_sequence < reach:
            object.__setattr__(self, "highest_sequence", reach)

    @classmethod
    def of_ranges(
        cls,
        epoch: str,
        lane: Lane,
        held: Iterable[tuple[int, int]],
        *,
        conflict: bool = False,
        through_hash: bytes | None = None,
    ) -> "Ack":
        """Return the acknowledgement of a cloud that has stored the sequence ranges `held` (first, last), which are
        ascending and disjoint. At most `MISSING_RANGES_MAX` missing ranges are listed; the acknowledgement has no
        information about sequences from the next missing range on."""
        through = highest = 0
        missing: list[tuple[int, int]] = []
        for first, last in held:
            if first == through + 1 and not missing:
                through = highest = last
                continue
            if first > highest + 1:
                if len(missing) == MISSING_RANGES_MAX:
                    break
                missing.append((highest + 1, first - 1))
            highest = last
        return cls(
            epoch=epoch,
            lane=lane,
            through_sequence=through,
            missing=tuple(missing),
            highest_sequence=highest,
            conflict=conflict,
            through_hash=through_hash,
        )


def encode_ack(ack: Ack) -> bytes:
    return write_message(
        {
            "epoch": ack.epoch,
            "lane": ack.lane.value,
            "through": ack.through_sequence,
            "missing": [list(missing) for missing in ack.missing],
            "highest": ack.highest_sequence,
            "conflict": ack.conflict,
            "through_hash": None if ack.through_hash is None else ack.through_hash.hex(),
        }
    )


def decode_ack(data: bytes) -> Ack:
    """Decode an acknowledgement. Raises only `RemoteProtocolError`."""
    fields = Fields.of(data, _CLAUSE)
    through = fields.integer("through", least=0)
    missing = fields.ranges("missing", limit_count=MISSING_RANGES_MAX)
    above = through
    for number, (first, last) in enumerate(missing):
        # The first range follows `through` directly; between two ranges at least one sequence is stored.
        if (first == above + 1) is not (number == 0):
            raise fields.wrong("missing ranges do not ascend from the mark")
        above = last
    highest = fields.integer("highest", least=above + 1 if missing else through)
    try:
        lane = Lane(fields.text("lane", limit_length=16))
    except ValueError:
        raise fields.wrong("no such lane") from None
    return Ack(
        epoch=fields.identifier("epoch"),
        lane=lane,
        through_sequence=through,
        missing=missing,
        highest_sequence=highest,
        conflict=fields.boolean("conflict"),
        through_hash=fields.optional_hash("through_hash"),
    )
