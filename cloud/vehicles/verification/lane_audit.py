"""Verify the chain of custody again from the envelopes alone, and report every error in it.

No result of ingest is trusted: each envelope is decoded, its signature verified with the gateway's registered key, its
hash computed again and compared with the row's, and the links are checked by `hash_chain.check_chain`. A finding does
not end the check: it continues behind the finding, so one lost batch does not hide the next.

It is pure except for the order of its input; `check` reads the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from cloud.vehicles.fleet import FormerKey
from protocols.errors import RemoteProtocolError
from protocols.provenance.hash_chain import Broken, Hole, Intact, Link, chain_order, check_chain
from protocols.uplink.envelope import Batch, BatchKind, decode_envelope, verify_batch
from protocols.uplink.gaps import decode_gap

FINDINGS_MAX = 100
"""Findings of one lane that are listed; more are only counted, since the lane needs an examination anyway."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An error in a lane: a description, and its first and last sequence."""

    what: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEnvelope:
    """One row of the chain: its sequence, the hash in the row, its time of arrival, and the bytes that prove it."""

    sequence: int
    hash: bytes
    envelope: bytes
    received_at_us: int


@dataclass(slots=True, kw_only=True)
class LaneReport:
    """The result of the check of one lane.

    Every sequence up to `through` is present, or a gap replaces it. `stood_in` counts those of which only a gap record
    is left. `observations` counts the rows that were compared, None when no comparison was requested.
    """

    tenant_id: str
    gateway_id: str
    epoch: str
    lane: str
    batches: int = 0
    gaps: int = 0
    through: int = 0
    stood_in: int = 0
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


class LaneAudit:
    """Check one lane. The caller passes its segments in order; a gap and the batches that it overlaps are in one
    segment.
    """

    def __init__(
        self, report: LaneReport, public_key: bytes, genesis: bytes, former_keys: Sequence[FormerKey] = ()
    ) -> None:
        """`public_key` is the registered key; a former key is valid for batches that arrived before it was replaced."""
        self.report = report
        self._public_key = public_key
        self._former_keys = former_keys
        self._head = genesis

    def segment(self, held: Sequence[HeldEnvelope]) -> None:
        """Check the next segment of the lane."""
        links = sorted((link for one in held if (link := self._link(one)) is not None), key=chain_order)
        while links:
            verdict = check_chain(links, self._head, after=self.report.through)
            match verdict:
                case Intact(through, head, stood_in):
                    self.report.through, self._head = through, head
                    self.report.stood_in += stood_in
                    return
                case Hole(first, last):
                    self.report.find("missing", first, last)
                    links = self._behind(links, last)
                case Broken(sequence):
                    self.report.find("does not follow the batch before it", sequence, sequence)
                    links = self._behind(links, sequence - 1)
                case _:
                    assert_never(verdict)

    def _behind(self, links: list[Link], through: int) -> list[Link]:
        """Return the links behind `through`, and count the gaps before it. The chain continues with the first link's
        own previous hash.
        """
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
        """Return the link that the envelope proves; None, with a finding, when it proves nothing."""
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
        former = (each.public_key for each in self._former_keys if one.received_at_us <= each.replaced_at_us)
        if not any(verify_batch(batch, envelope.signature, key) for key in (self._public_key, *former)):
            self.report.find("not signed by the registered key", one.sequence, one.sequence)
        if batch.kind is BatchKind.GAP:
            try:
                gap = decode_gap(batch.payload)
            except RemoteProtocolError:
                pass  # it was kept as an ordinary batch of one sequence
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
