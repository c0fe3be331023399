"""Judge authentic batches of one lane by the sequence numbers that the cloud holds.

A `LaneBook` has the sequence numbers that the cloud holds of a lane, and the stored neighbours of the new batches. Each
batch that it accepts is added to both, so a whole group is judged in memory before anything is written.

A batch with a held sequence number is a duplicate if the hash is the same, and a conflict if the hash differs. A gap
record fills only what is missing in its range and never conflicts. A batch inside that range that arrives late is
accepted.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from cloud.vehicles.custody import FIRST_SEQUENCE, ChainedBatch, LaneMarks, LinkState, link_between
from cloud.vehicles.ingest.verdicts import Ahead, Conflict, Duplicate, Entry, LaneVerdict, Scattered, Stored

HOLES_MAX = 256
"""Limit of a lane's missing ranges. A lane grows at two or three places, and a gateway keeps far fewer batches in
flight than this. The row with the ranges is written with every commit, so it must stay small."""


class LaneBook:
    """The held sequence numbers and batches of one lane (a numbered stream of batches), to judge new batches. `held`
    must contain the stored batches and gap records that begin or end next to the new batches. `removed` has the
    sequence numbers of those new batches that the cloud had stored and removed after their retention period."""

    def __init__(
        self,
        marks: LaneMarks,
        genesis: bytes,
        held: Iterable[ChainedBatch] = (),
        removed: Collection[int] = frozenset(),
    ) -> None:
        self.marks = marks
        self._genesis = genesis
        self._removed = removed
        self._real: dict[int, ChainedBatch] = {}
        self._gaps_by_first: dict[int, list[ChainedBatch]] = {}
        self._gaps_by_last: dict[int, list[ChainedBatch]] = {}
        for batch in held:
            self._remember(batch)

    def judge(self, arrival: ChainedBatch) -> LaneVerdict:
        """Return the verdict on a batch, such as `Stored`, `Duplicate` or `Conflict`. An accepted batch is added to the
        lane's batches, so that the next batch is judged with it."""
        rival = None if arrival.is_gap else self._real.get(arrival.sequence)
        if rival is not None:
            return Duplicate() if rival.hash == arrival.hash else Conflict(rival.hash)
        if not arrival.is_gap and arrival.sequence in self._removed:
            return Duplicate()
        fills = self.marks.lacking(arrival.sequence, arrival.through)
        if arrival.is_gap and not fills:
            return Duplicate()
        marks = self.marks.adding(arrival.sequence, arrival.through)
        if len(marks.ahead) > HOLES_MAX:
            return Scattered(self.marks.missing())
        link = self._link_of(arrival)
        resolved = tuple(self._resolve_followers(arrival))
        self.marks = marks
        self._remember(replace(arrival, link=link))
        entry = Entry(
            link=link, fills=fills if arrival.is_gap else ((arrival.sequence, arrival.through),), resolved=resolved
        )
        return Ahead(entry, marks.missing()) if marks.through < arrival.sequence else Stored(entry)

    def hash_behind(self, sequence: int) -> bytes | None:
        """Return the chain hash of the batch or gap record that ends at `sequence`; None when neither was loaded or
        accepted."""
        real = self._real.get(sequence)
        if real is not None:
            return real.tail_hash
        gaps = self._gaps_by_last.get(sequence)
        return gaps[0].tail_hash if gaps else None

    def _link_of(self, arrival: ChainedBatch) -> LinkState:
        link = link_between(self._tail_before(arrival.sequence), arrival.previous_hash)
        if arrival.is_gap:
            first, last = self._real.get(arrival.sequence), self._real.get(arrival.through)
            if (first is not None and first.previous_hash != arrival.previous_hash) or (
                last is not None and last.hash != arrival.tail_hash
            ):
                return LinkState.BROKEN  # its history differs from that of the held batches inside its range
        return link

    def _tail_before(self, sequence: int) -> bytes | None:
        if sequence == FIRST_SEQUENCE:
            return self._genesis
        return self.hash_behind(sequence - 1)

    def _resolve_followers(self, arrival: ChainedBatch) -> Iterator[ChainedBatch]:
        first = arrival.through + 1
        real = self._real.get(first)
        followers = [*self._gaps_by_first.get(first, ()), *([real] if real is not None else [])]
        for follower in followers:
            if follower.link is LinkState.PENDING:
                judged = replace(follower, link=link_between(arrival.tail_hash, follower.previous_hash))
                self._forget(follower)
                self._remember(judged)
                yield judged

    def _remember(self, batch: ChainedBatch) -> None:
        if batch.is_gap:
            self._gaps_by_first.setdefault(batch.sequence, []).append(batch)
            self._gaps_by_last.setdefault(batch.through, []).append(batch)
        else:
            self._real[batch.sequence] = batch

    def _forget(self, batch: ChainedBatch) -> None:
        if batch.is_gap:
            self._gaps_by_first[batch.sequence].remove(batch)
            self._gaps_by_last[batch.through].remove(batch)
        else:
            del self._real[batch.sequence]
