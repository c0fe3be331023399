"""The batches of one lane that were sent and are not acknowledged, in the order of their sending."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(slots=True)
class Sent:
    """One batch in flight. It covers `sequence` to `through`, which differ only for a gap record."""

    sequence: int
    through: int
    octets: int
    live: bool
    sent_at_s: float
    sendings: int


class InFlight:
    """Batches in flight by their sequence number. The sums and the oldest one cost nothing, because the uplink reads
    them for each batch that it sends."""

    def __init__(self) -> None:
        self._sents: dict[int, Sent] = {}
        self._live_bytes = self._backlog_bytes = 0

    def __len__(self) -> int:
        return len(self._sents)

    @property
    def sents(self) -> Collection[Sent]:
        return self._sents.values()

    @property
    def oldest(self) -> Sent | None:
        """The batch that was sent longest ago; None where no batch is in flight."""
        return next(iter(self._sents.values()), None)

    def get(self, sequence: int) -> Sent | None:
        return self._sents.get(sequence)

    def bytes(self, *, live: bool) -> int:
        return self._live_bytes if live else self._backlog_bytes

    def add(self, sent: Sent) -> None:
        """Add a batch that was sent now, or was sent again."""
        self.remove(sent.sequence)
        self._sents[sent.sequence] = sent
        self._count(sent, sent.octets)

    def remove(self, sequence: int) -> None:
        """Remove a batch, if it is in flight."""
        sent = self._sents.pop(sequence, None)
        if sent is not None:
            self._count(sent, -sent.octets)

    def clear(self) -> None:
        self._sents.clear()
        self._live_bytes = self._backlog_bytes = 0

    def _count(self, sent: Sent, octets: int) -> None:
        if sent.live:
            self._live_bytes += octets
        else:
            self._backlog_bytes += octets
