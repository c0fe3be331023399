"""Verify a lane's hash chain from the stored envelopes alone, and report every error in it.

No result of ingest is trusted: each envelope is decoded, its signature verified with the gateway's registered key, and
its hash computed again. `hash_chain.check_chain` checks the links. After a finding the check continues with the next
batch, so one lost batch does not hide the next error.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from cloud.vehicles.custody import LaneMarks, Range, RemovalCause, RemovedRange
from cloud.vehicles.fleet import FormerKey
from protocols.errors import RemoteProtocolError
from protocols.provenance.hash_chain import Broken, Hole, Intact, Link, chain_order, check_chain
from protocols.uplink.envelope import Batch, BatchKind, decode_envelope, verify_batch
from protocols.uplink.gaps import decode_gap

FINDINGS_MAX = 100
"""Findings of one lane that are listed; more are only counted, since the lane needs an examination anyway."""

AWAITED_MAX_S = 600.0
"""Seconds for which batches that the cloud does not hold are awaited after the arrival of a batch next to them. A
connected gateway resends them within seconds, and sends a backlog in order beside its live batches, so one of the two
neighbours is always new while it sends. Rows of staged batches may be written in another order than they arrived, some
minutes later if their worker has ended."""


NOT_SENT = "missing, never acknowledged, and not sent any more"


@dataclass(frozen=True, slots=True)
class Finding:
    """An error in a lane: a description, and the first and last sequence number concerned."""

    what: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEnvelope:
    """A stored batch or gap record: its sequence number, its stored hash, its time of arrival, and the signed bytes."""

    sequence: int
    hash: bytes
    envelope: bytes
    received_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The part of a lane (numbered stream of batches) that follows `after`, as one snapshot of the database has it at
    `read_at_us`: its envelopes, the removed ranges that it overlaps, and the marks of the whole lane. A gap record or
    removed range may begin before the segment if it was recorded after the segment before was read."""

    held: Sequence[HeldEnvelope]
    removed: Sequence[RemovedRange] = ()
    marks: LaneMarks
    read_at_us: int
    after: int = 0


@dataclass(slots=True, kw_only=True)
class LaneReport:
    """The result of checking one lane (numbered stream of batches). Every sequence number up to `through` is present,
    was removed after its retention period, was erased, or is awaited. `removed` and `erased` count those. `awaited` are
    the first ranges, and `awaited_batches` is the number of all sequence numbers, that the cloud has not acknowledged
    and whose gateway may still send them. `stood_in` counts the sequence numbers of which only a gap record is left.
    `begins_at` is the lowest sequence number whose batch is stored, None without one. `observations` counts the
    compared rows; None: no comparison was requested."""

    tenant_id: str
    gateway_id: str
    epoch: str
    lane: str
    batches: int = 0
    gaps: int = 0
    through: int = 0
    stood_in: int = 0
    removed: int = 0
    erased: int = 0
    begins_at: int | None = None
    awaited: list[Range] = field(default_factory=list)
    awaited_batches: int = 0
    observations: int | None = None
    findings: list[Finding] = field(default_factory=list)
    findings_untold: int = 0

    @property
    def intact(self) -> bool:
        return not self.findings

    def find(self, what: str, first: int, last: int) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(what, first, last))
        else:
            self.findings_untold += 1

    def wait_for(self, first: int, last: int) -> None:
        self.awaited_batches += last - first + 1
        if len(self.awaited) < FINDINGS_MAX:
            self.awaited.append((first, last))


class LaneAudit:
    """Check one lane (numbered stream of batches), passed in segments by sequence number, and add findings to `report`.
    A gap record and the batches that it overlaps must be in the same segment."""

    def __init__(
        self, report: LaneReport, public_key: bytes, genesis: bytes, former_keys: Sequence[FormerKey] = ()
    ) -> None:
        """Prepare the check of one lane. `genesis` is the hash before the first batch. Each of `former_keys` verifies
        batches from before the key was replaced."""
        self.report = report
        self._public_key = public_key
        self._former_keys = former_keys
        self._head = genesis
        self._end_arrived_us: int | None = None
        """The time of arrival of the last batch of the segment before, or None."""

    def segment(self, segment: Segment) -> None:
        """Check the next part of the lane, and add the findings to the report."""
        before = self.report.stood_in
        arrivals = {one.sequence: one.received_at_us for one in segment.held}
        if self._end_arrived_us is not None:
            arrivals.setdefault(segment.after, self._end_arrived_us)
        links = [*filter(None, map(self._link, segment.held)), *map(_stand_in, segment.removed)]
        self._check(links, segment, arrivals)
        self._end_arrived_us = arrivals[max(arrivals)] if arrivals else None
        # The chain continues after a removed range as after a gap record, but nothing was lost there.
        removed_by = Counter[RemovalCause]()
        for one in segment.removed:
            removed_by[one.cause] += one.last_sequence - max(one.first_sequence - 1, segment.after)
        self.report.stood_in = max(before, self.report.stood_in - removed_by.total())
        self.report.removed += removed_by[RemovalCause.RETENTION]
        self.report.erased += removed_by[RemovalCause.ERASURE]

    def end(self, marks: LaneMarks) -> None:
        """Report acknowledged batches after the last segment. `marks` are of a snapshot that has no batch there."""
        for first, last in marks.held(self.report.through + 1, marks.last):
            self.report.find("acknowledged, but not there", first, last)

    def _check(self, found: Sequence[Link], segment: Segment, arrivals: Mapping[int, int]) -> None:
        """Check links. `arrivals` are the times of arrival of the segment's batches, by sequence number, and that of
        the batch before them."""
        links = sorted(found, key=chain_order)
        while links:
            verdict = check_chain(links, self._head, after=self.report.through)
            match verdict:
                case Intact(through, head, stood_in):
                    self.report.through, self._head = through, head
                    self.report.stood_in += stood_in
                    return
                case Hole(first, last):
                    self._judge(first, last, segment, arrivals)
                    links = self._behind(links, last)
                case Broken(sequence):
                    self.report.find("does not follow the batch before it", sequence, sequence)
                    links = self._behind(links, sequence - 1)
                case _:
                    assert_never(verdict)

    def _judge(self, first: int, last: int, segment: Segment, arrivals: Mapping[int, int]) -> None:
        """Report batches that are not there: those that the cloud has acknowledged, and others that their gateway does
        not send any more, are missing. The rest is awaited."""
        numbers = sorted(arrivals)
        place = bisect_left(numbers, first)
        arrived_us = max((arrivals[one] for one in numbers[max(0, place - 1) : place + 1]), default=0)
        is_late = segment.read_at_us - arrived_us > AWAITED_MAX_S * 1_000_000
        lacking = segment.marks.lacking(first, last)
        for low, high in sorted((*lacking, *segment.marks.held(first, last))):
            if (low, high) not in lacking:
                self.report.find("missing", low, high)
            elif is_late:
                self.report.find(NOT_SENT, low, high)
            else:
                self.report.wait_for(low, high)

    def _behind(self, links: list[Link], through: int) -> list[Link]:
        """Continue the check after a finding: return the links above the sequence number `through`, and accept the
        previous hash that the first of them states. Numbers up to `through` of which only a gap record is left are
        added to `stood_in`."""
        before = [link for link in links if link.first <= through]
        if before:
            passed = check_chain(before, self._head, after=self.report.through)
            if isinstance(passed, Intact):
                self.report.stood_in += passed.stood_in
        rest = [link for link in links if link.first > through]
        self.report.through = through
        if rest:
            self._head = rest[0].previous
        return rest

    def _link(self, one: HeldEnvelope) -> Link | None:
        """Verify an envelope and return its link; None, with a finding, when the envelope cannot be read or is
        misplaced. A wrong hash or signature is a finding too, but the link is returned."""
        try:
            envelope = decode_envelope(one.envelope)
        except RemoteProtocolError:
            self.report.find("the kept envelope cannot be read", one.sequence, one.sequence)
            return None
        batch = envelope.batch
        self._count(batch)
        place = (batch.gateway, batch.epoch, batch.lane.value, batch.sequence)
        if place != (self.report.gateway_id, self.report.epoch, self.report.lane, one.sequence):
            self.report.find("the kept envelope is another batch's", one.sequence, one.sequence)
            return None
        own = batch.hash
        if own != one.hash:
            self.report.find("the row's hash is not its envelope's", one.sequence, one.sequence)
        former = (each.public_key for each in self._former_keys if each.may_sign(one.received_at_us))
        if not any(verify_batch(batch, envelope.signature, key) for key in (self._public_key, *former)):
            self.report.find("not signed by the registered key", one.sequence, one.sequence)
        if batch.kind is BatchKind.GAP:
            try:
                gap = decode_gap(batch.payload)
            except RemoteProtocolError:
                pass  # ingest stored it as an ordinary batch of one sequence number
            else:
                return Link(
                    first=gap.from_sequence,
                    last=gap.through_sequence,
                    previous=gap.chain_before,
                    after=gap.chain_after,
                    stands_in=True,
                )
        return Link(first=batch.sequence, last=batch.sequence, previous=batch.previous_hash, after=own)

    def _count(self, batch: Batch) -> None:
        if batch.kind is BatchKind.GAP:
            self.report.gaps += 1
        else:
            self.report.batches += 1
            if self.report.begins_at is None or batch.sequence < self.report.begins_at:
                self.report.begins_at = batch.sequence


def _stand_in(removed: RemovedRange) -> Link:
    """Return the link that takes the place of removed batches. The batch before states its `previous` hash by its own,
    and the batch after states its `after` hash under the gateway's signature."""
    return Link(
        first=removed.first_sequence,
        last=removed.last_sequence,
        previous=removed.hash_before,
        after=removed.hash_after,
        stands_in=True,
    )
