"""Transmission state of one lane: the batches in flight, the batches that the cloud holds, and the next batch to send.

After the exchange of marks (through which sequence number the cloud holds the lane), the batches that the cloud lacks
are live and are sent at once. When too many live batches are queued, they become backlog, so that the newest data is
always sent first. Backlog is sent oldest first, beside the live batches, and marked historical.

Only the cloud's acknowledgement completes the transmission of a batch. A batch is lost, and sent again, if the cloud
reports it missing and holds a batch that was sent well after it; a batch that is only missing may still be in flight.
(The idea is that of RACK, RFC 8985.) A batch without any report is sent again after a timeout. The timeout doubles
while the cloud is silent, and only the oldest batch is then sent again, so that a cloud that was down does not find its
queue full of repetitions. When it then responds to the status, and has none of the batches in flight, they were sent
while no cloud received them: all are sent again at once.

No later batch may follow an event soon that would show that it is lost. So an event in flight is sent again at once,
one time, when an acknowledgement only repeats the one before: a restarted cloud responds in this way to the status.

Acknowledgements of two cloud workers may arrive in reverse order. So when a mark is below the previous one, the uplink
publishes a status. The cloud counts as restored only if its response to a status has such a mark. Pure: times are
passed in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.sync.in_flight import InFlight, Sent
from gateway.sync.published import PublishedBatches
from gateway.sync.sharing import URGENT
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane
from protocols.waits import doubled_s

SENT_RANGES_MAX = 64
"""Maximum of ranges kept. A lane is sent at two places at once, live and backlog. A batch in a dropped range only has
its hash compared with the cloud's again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSettings:
    """Limits and timeouts of a lane's transmission, in batches and seconds."""

    ack_timeout_s: float = 10.0
    """Time from sending to the cloud's acknowledgement: its commit takes milliseconds, a bad radio link seconds."""
    ack_timeout_s_max: float = 120.0
    missing_after_s: float = 1.0
    """Lead of a later batch that arrived, after which a missing one counts as lost: the cloud's workers commit side by
    side."""
    live_lag_batches_max: int = 20
    """Maximum of queued live batches before they count as backlog: twenty seconds of a lane that is cut once a second.
    """
    in_flight_batches_max: int = 256


class Verdict(Enum):
    """Meanings of an acknowledgement for its lane."""

    FOREIGN = "of another epoch or lane"
    ADVANCED = "the mark moved or stayed"
    RESTORED = "the cloud has less than it once had"
    DOUBTED = "the mark went back outside of an exchange: query again"
    CONTESTED = "another gateway claims this lane"


@dataclass(frozen=True, slots=True)
class AckOutcome:
    """Effect of an acknowledgement. The cloud holds the `confirmed` batches; `missed` ones are lost and sent again."""

    verdict: Verdict
    confirmed: Sequence[Sent] = ()
    missed: Sequence[Sent] = ()


class LaneWindow:
    """Transmission state of one lane. Batches are sent only while `agreed` is true (the cloud has acknowledged the lane
    on this connection) and `contested` is false (no other gateway claims the lane)."""

    def __init__(self, lane: Lane, epoch: str, settings: WindowSettings) -> None:
        self._lane = lane
        self._epoch = epoch
        self._settings = settings
        self._in_flight = InFlight()
        self._repeated: dict[int, int] = {}
        self._sent_here: list[tuple[int, int]] = []
        self._held: tuple[tuple[int, int], ...] = ()
        self._highest = 0
        self._newest_arrived_s = float("-inf")
        self._silent = 0
        self._doubted = False
        self.agreed = False
        self.contested = False
        self.through = 0
        self.last = 0
        self.live_from = 1
        self.published = PublishedBatches()

    # ---- a connection begins

    def begin(self, *, acked: int, last: int) -> None:
        """Start a connection: nothing is in flight, and nothing is sent before the cloud's first acknowledgement.
        `acked` is the last acknowledged sequence in the buffer, `last` the newest."""
        self._in_flight.clear()
        self._repeated.clear()
        self._sent_here = []
        self._held = ()
        self._silent = 0
        self._doubted = False
        self.agreed = False
        self.through, self.last = acked, last

    def note_commit(self, last: int) -> None:
        """Record that `last` is the newest sequence in the buffer."""
        self.last = last
        if self.agreed:
            self._bound_live_lag()

    # ---- acknowledgements

    def apply(self, ack: Ack) -> AckOutcome:
        """Apply an acknowledgement of the lane. Return its meaning, and the batches that are therefore no longer in
        flight."""
        if ack.epoch != self._epoch or ack.lane is not self._lane:
            return AckOutcome(Verdict.FOREIGN)
        if self.contested and self.agreed:
            # Sticky within a connection: the other claimant's batches may be acknowledged on the same topic.
            return AckOutcome(Verdict.CONTESTED)
        # A cloud that is ahead of this store holds another history of this epoch: a copy of this gateway wrote it.
        if ack.conflict or ack.highest_sequence > self.last:
            self.agreed = self.contested = True
            self._in_flight.clear()
            return AckOutcome(Verdict.CONTESTED)
        if ack.through_sequence < self.through and self.agreed and not self._doubted:
            self._doubted = True
            return AckOutcome(Verdict.DOUBTED)
        verdict = Verdict.RESTORED if ack.through_sequence < self.through else Verdict.ADVANCED
        is_first, was_silent = not self.agreed, self._silent > 0
        self.agreed, self.contested, self._doubted, self._silent = True, False, False, 0
        # Two workers of the cloud may overtake each other: an older acknowledgement does not withdraw what a newer one
        # stated of higher batches. If those are lost, they will be reported as missing.
        outdated = not is_first and ack.through_sequence == self.through and ack.highest_sequence < self._highest
        is_repeated = (ack.through_sequence, ack.highest_sequence) == (self.through, self._highest)
        self.through = ack.through_sequence
        if not outdated:
            self._held, self._highest = tuple(_held_above(ack)), ack.highest_sequence
        self.published.acknowledge(self.through, self._held)
        if is_first or verdict is Verdict.RESTORED:
            self.live_from = self.through + 1
            self._bound_live_lag()
        if verdict is Verdict.RESTORED:
            self._in_flight.clear()
            return AckOutcome(verdict)
        confirmed = self._find_acknowledged()
        if was_silent and not confirmed:
            return AckOutcome(verdict, confirmed, self._take_back(list(self._in_flight.sents)))
        if is_repeated and self._lane in URGENT:
            sent_once = [sent for sent in self._in_flight.sents if sent.sendings == 1]
            return AckOutcome(verdict, confirmed, self._take_back(sent_once))
        return AckOutcome(verdict, confirmed, self._find_missed(ack))

    def _find_acknowledged(self) -> list[Sent]:
        done = [sent for sent in self._in_flight.sents if self._is_held(sent)]
        for sent in done:
            self._in_flight.remove(sent.sequence)
            # Of two copies it is unknown which one arrived.
            if sent.sendings == 1:
                self._newest_arrived_s = max(self._newest_arrived_s, sent.sent_at_s)
        if self._repeated:
            self._repeated = {sequence: times for sequence, times in self._repeated.items() if sequence > self.through}
        return done

    def _is_held(self, sent: Sent) -> bool:
        if sent.through <= self.through:
            return True
        # A gap record may begin below the mark: the cloud fills only what it lacks.
        begin = max(sent.sequence, self.through + 1)
        return any(first <= begin and sent.through <= last for first, last in self._held)

    def _take_back(self, sents: list[Sent]) -> list[Sent]:
        """Remove `sents` from the batches in flight, so that they are sent again. Return `sents`."""
        for sent in sents:
            self._in_flight.remove(sent.sequence)
            self._repeated[sent.sequence] = sent.sendings
        return sents

    def _find_missed(self, ack: Ack) -> list[Sent]:
        """Return the batches to send again: the cloud lacks them, but holds a batch that was sent well after them."""
        if not ack.missing:
            return []
        lost_before_s = self._newest_arrived_s - self._settings.missing_after_s
        return self._take_back(
            [
                sent
                for sent in self._in_flight.sents
                if sent.sent_at_s <= lost_before_s
                and any(first <= sent.through and sent.sequence <= last for first, last in ack.missing)
            ]
        )

    def sent_here(self, sequence: int) -> bool:
        """Return whether the batch at `sequence` was sent on this connection. If the cloud held a different batch
        there, it would have reported a conflict."""
        return any(first <= sequence <= last for first, last in self._sent_here)

    # ---- time

    @property
    def _timeout_s(self) -> float:
        settings = self._settings
        return doubled_s(settings.ack_timeout_s, self._silent, settings.ack_timeout_s_max)

    @property
    def deadline_s(self) -> float | None:
        """Monotonic time at which to call `expire`; None while no batch is in flight."""
        oldest = self._in_flight.oldest
        return None if oldest is None else oldest.sent_at_s + self._timeout_s

    def expire(self, *, now_s: float) -> list[Sent]:
        """Remove overdue batches from those in flight and return them; they are sent again. At first these are all
        overdue batches; while the cloud stays silent, only the oldest one."""
        oldest, timeout_s = self._in_flight.oldest, self._timeout_s
        if oldest is None or oldest.sent_at_s + timeout_s > now_s:
            return []
        overdue = [sent for sent in self._in_flight.sents if sent.sent_at_s + timeout_s <= now_s]
        overdue.sort(key=lambda sent: sent.sequence)
        if self._silent:
            for sent in overdue[1:]:
                sent.sent_at_s = now_s
                self._in_flight.add(sent)
            overdue = overdue[:1]
        self._silent += 1
        return self._take_back(overdue)

    # ---- what is next

    def next_after(self, *, live: bool) -> int | None:
        """Return the sequence number after which the next batch to send begins, or None when there is none to send now.
        `live`: choose from the live batches, otherwise from the backlog."""
        if self.through >= self.last or not self.agreed or self.contested:
            return None
        if len(self._in_flight) >= self._settings.in_flight_batches_max:
            return None
        sequence = max(self.through + 1, self.live_from) if live else self.through + 1
        end = self.last if live else min(self.last, self.live_from - 1)
        while sequence <= end:
            behind = self._end_of_taken(sequence)
            if behind is None:
                return sequence - 1
            sequence = behind + 1
        return None

    def _end_of_taken(self, sequence: int) -> int | None:
        """Return the last sequence number of the batch in flight that covers `sequence`, or of the range held by the
        cloud that includes it. Return None if there is neither."""
        sent = self._in_flight.get(sequence)
        if sent is not None:
            return sent.through
        for first, last in self._held:
            if first <= sequence <= last:
                return last
        # A gap record in flight covers sequences beside its own.
        for sent in self._in_flight.sents:
            if sent.sequence <= sequence <= sent.through:
                return sent.through
        return None

    def _bound_live_lag(self) -> None:
        """Count all queued live batches as backlog from now on, if they are too many."""
        if self.last - self.through <= self._settings.live_lag_batches_max:
            return  # nearly always
        newest_sent = max((sent.through for sent in self._in_flight.sents), default=0)
        newest_held = self._held[-1][1] if self._held else 0
        waiting = self.last - max(self.through, self.live_from - 1, newest_sent, newest_held)
        if waiting > self._settings.live_lag_batches_max:
            self.live_from = self.last + 1

    def note_sending(self, *, sequence: int, through: int, octets: int, live: bool, now_s: float) -> None:
        sendings = self._repeated.pop(sequence, 0) + 1
        self._in_flight.add(Sent(sequence, through, octets, live, now_s, sendings))
        for place, (first, last) in enumerate(self._sent_here):
            if first <= sequence <= last + 1:
                self._sent_here[place] = first, max(last, through)
                return
        self._sent_here = [*self._sent_here[1 - SENT_RANGES_MAX :], (sequence, through)]

    # ---- in flight

    def under_way_bytes(self, *, live: bool) -> int:
        return self._in_flight.bytes(live=live)

    @property
    def under_way_batches(self) -> int:
        return len(self._in_flight)

    @property
    def has_backlog(self) -> bool:
        """True while backlog remains to be acknowledged."""
        return self.through < min(self.last, self.live_from - 1)


def _held_above(ack: Ack) -> Iterator[tuple[int, int]]:
    """Yield the ranges of sequences above `ack.through_sequence` that the cloud holds."""
    begin = ack.through_sequence + 1
    for first, last in ack.missing:
        if begin < first:
            yield begin, first - 1
        begin = last + 1
    if begin <= ack.highest_sequence:
        yield begin, ack.highest_sequence
