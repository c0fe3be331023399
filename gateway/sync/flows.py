"""The eight flows between buffer and connection: the live batches and the backlog of four lanes.

The flows read batches ahead of sending, and combine pure modules: the `LaneWindow` of a lane determines the lane's next
batch, `Sharing` the flow that sends next, `Pacing` how many bytes may be in flight. Nothing here waits except for reads
of the buffer.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.sync.batch_source import BatchSource
from gateway.sync.in_flight import Sent
from gateway.sync.lane_window import AckOutcome, LaneWindow, Verdict
from gateway.sync.pacing import Pacing
from gateway.sync.settings import UplinkSettings
from gateway.sync.sharing import Flow, Sharing
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch, BatchKind
from protocols.uplink.gaps import decode_gap
from protocols.uplink.lanes import Lane

ENVELOPE_EXTRA_BYTES = 512
"""Bytes that an envelope adds to a payload, rounded up: names, hashes, signature, trace context, topic."""


@dataclass(frozen=True, slots=True)
class Due:
    """The next batch to send. `through`: last sequence number that the batch covers. `octets`: size of the message in
    bytes."""

    flow: Flow
    batch: Batch
    through: int
    octets: int


class History(Enum):
    """The store that wrote the newest acknowledged batch of a lane: this store, another one (a copy), or unknown."""

    OURS = "ours"
    ANOTHER = "another"
    UNKNOWN = "unknown"


class Flows:
    """The unsent and unacknowledged batches of all lanes of one store: the store that `source` uses at construction.
    `epoch` identifies this store."""

    def __init__(self, source: BatchSource, settings: UplinkSettings) -> None:
        self._source = source
        self._settings = settings
        self.epoch = source.epoch
        self._ahead: dict[Flow, deque[tuple[Batch, int]]] = {
            Flow(lane, live): deque() for lane in Lane for live in (True, False)
        }
        self.windows = {lane: LaneWindow(lane, self.epoch, settings.window) for lane in Lane}
        self.sharing = Sharing()
        self.pacing = Pacing(settings.pacing)

    def begin(self) -> None:
        """Start a connection: nothing is in flight, and each lane begins at the buffer's acknowledged sequence."""
        marks = self._source.marks()
        for lane, window in self.windows.items():
            window.begin(acked=marks[lane].acked, last=marks[lane].last)
        self.pacing = Pacing(self._settings.pacing)
        for ahead in self._ahead.values():
            ahead.clear()

    def refresh(self) -> None:
        """Read each lane's newest sequence number from the buffer. Does nothing if the buffer now
        uses another store."""
        if self._source.epoch != self.epoch:
            return
        marks = self._source.marks()
        for lane, window in self.windows.items():
            window.note_commit(marks[lane].last)

    def apply(self, ack: Ack, now_s: float) -> AckOutcome:
        """Apply an acknowledgement to its lane, and adapt the limit on bytes in flight to the measured delay."""
        self.refresh()
        under_way_bytes = self.under_way_bytes
        outcome = self.windows[ack.lane].apply(ack)
        for sent in outcome.confirmed:
            # A delay is known only of a batch that was sent once: of two copies it is unknown which was acknowledged.
            if sent.sendings == 1:
                self.pacing.acknowledge(
                    sent.octets, sent_at_s=sent.sent_at_s, now_s=now_s, under_way_bytes=under_way_bytes
                )
        if outcome.missed:
            self.pacing.shrink(now_s)
        if outcome.verdict in (Verdict.RESTORED, Verdict.CONTESTED):
            for live in (True, False):
                self._ahead[Flow(ack.lane, live)].clear()
        return outcome

    async def history_of(self, ack: Ack) -> History:
        """Return which store wrote the batch at `ack.through_sequence`, by comparing the hash in `ack` with the batch
        in the buffer. The hashes are compared only if that batch was not sent on this connection. This happens at the
        first acknowledgement of a lane, and when the cloud acknowledges more than was sent here."""
        window, through = self.windows[ack.lane], ack.through_sequence
        if ack.epoch != self.epoch or not through:
            return History.OURS
        if window.agreed and (through <= window.through or window.sent_here(through)):
            return History.OURS
        if ack.through_hash is None:
            return History.UNKNOWN
        found = await self._source.next_batches(ack.lane, after=through - 1, limit_batches=1, limit_bytes=1)
        ours = _hash_behind(found[0], through) if found else None
        return History.OURS if ours in (None, ack.through_hash) else History.ANOTHER

    @property
    def deadline_s(self) -> float | None:
        """Monotonic time at which to call `expire`; None while no batch is in flight."""
        deadlines = [deadline for window in self.windows.values() if (deadline := window.deadline_s) is not None]
        return min(deadlines, default=None)

    def expire(self, now_s: float) -> Mapping[Lane, list[Sent]]:
        """Return a mapping from lane to its batches whose acknowledgement is overdue. These batches are sent again."""
        late = {lane: sents for lane, window in self.windows.items() if (sents := window.expire(now_s=now_s))}
        if late:
            self.pacing.shrink(now_s)
        return late

    async def next(self) -> Due | None:
        """Return the batch to send now; None if no batch is unsent or the limits on batches in flight are reached."""
        for flow, ahead in self._ahead.items():
            after = self.windows[flow.lane].next_after(live=flow.live)
            if after is None:
                ahead.clear()
            else:
                await self._read_ahead(flow, ahead, after)
        # From here to the caller's `note_sending` nothing waits, so no acknowledgement can come between.
        offers = {flow: len(ahead[0][0].payload) + ENVELOPE_EXTRA_BYTES for flow, ahead in self._ahead.items() if ahead}
        if not offers:
            self.sharing.forget()
            return None
        under_way = {flow: self.windows[flow.lane].under_way_bytes(live=flow.live) for flow in self._ahead}
        chosen = self.sharing.choose(offers, under_way, window_bytes=self.pacing.window_bytes)
        if chosen is None:
            return None
        batch, through = self._ahead[chosen].popleft()
        self.sharing.charge(chosen, offers[chosen], offers)
        return Due(chosen, batch, through, offers[chosen])

    def note_sending(self, due: Due, now_s: float) -> None:
        self.windows[due.flow.lane].note_sending(
            sequence=due.batch.sequence, through=due.through, octets=due.octets, live=due.flow.live, now_s=now_s
        )

    def note_publication(self, due: Due) -> None:
        """Record that the broker confirmed `due` (PUBACK)."""
        window = self.windows[due.flow.lane]
        if due.through > window.through:  # otherwise the cloud was quicker than the broker
            window.published.add(due.batch.sequence, due.through)

    async def _read_ahead(self, flow: Flow, ahead: deque[tuple[Batch, int]], after: int) -> None:
        """Read the next batches of `flow`, which begin after the sequence number `after`, into the queue `ahead`.
        Remove from the queue batches that an acknowledgement or a resend has made the wrong ones to send next."""
        window = self.windows[flow.lane]
        while ahead and ahead[0][1] <= after:
            ahead.popleft()
        if ahead and ahead[0][0].sequence <= after + 1:
            return
        ahead.clear()
        batches = await self._source.next_batches(
            flow.lane,
            after=after,
            limit_batches=self._settings.read_batches_max,
            limit_bytes=self._settings.read_bytes_max,
        )
        # An acknowledgement may have come while the buffer was read: what is next is determined again before it is
        # sent.
        if window.next_after(live=flow.live) == after:
            ahead.extend((batch, _through(batch)) for batch in batches)

    @property
    def has_due(self) -> bool:
        """True when a lane has a batch to send now, unless the limit on bytes in flight forbids it."""
        return any(
            window.next_after(live=True) is not None or window.next_after(live=False) is not None
            for window in self.windows.values()
        )

    @property
    def in_flight(self) -> int:
        """Number of batches in flight."""
        return sum([window.under_way_batches for window in self.windows.values()])

    @property
    def under_way_bytes(self) -> int:
        return sum([window.under_way_bytes(live=live) for window in self.windows.values() for live in (True, False)])

    @property
    def has_backlog(self) -> bool:
        return any(window.has_backlog for window in self.windows.values())


def _hash_behind(batch: Batch, sequence: int) -> bytes | None:
    """Return the chain hash after the batch or gap record `batch`, if it ends at `sequence`, else None."""
    if batch.kind is not BatchKind.GAP:
        return batch.hash if batch.sequence == sequence else None
    gap = decode_gap(batch.payload)
    return gap.chain_after if gap.through_sequence == sequence else None


def _through(batch: Batch) -> int:
    return decode_gap(batch.payload).through_sequence if batch.kind is BatchKind.GAP else batch.sequence
