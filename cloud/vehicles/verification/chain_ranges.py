"""The hash chain of one lane from batches that arrive in any order, in memory that does not grow with their number.

Verified neighbours are joined into ranges, of which only the ends are kept. A gateway sends live batches and a backlog
beside each other, so a lane has few ranges at any time.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from cloud.vehicles.custody import FIRST_SEQUENCE
from protocols.provenance.hash_chain import Link

RANGES_MAX = 4_096
"""Separate ranges of one lane. A lane never has more than 256 holes at once (`ingest.lane_book`), and a lost object
makes one more."""


@dataclass(slots=True)
class ChainRange:
    """Consecutive sequence numbers whose links were verified. `previous` and `tail` are the hashes at the ends; None
    where only a gap record covers that end."""

    first: int
    last: int
    previous: bytes | None
    tail: bytes | None


class ChainRanges:
    """The verified ranges of one lane (numbered stream of batches). `add` returns the errors that a link causes."""

    def __init__(self, genesis: bytes) -> None:
        self.ranges: list[ChainRange] = []
        self.repeated = 0
        self._genesis = genesis

    def add(self, link: Link) -> Iterator[tuple[str, int]]:
        """Add a batch or a gap record; yield each error with its sequence number."""
        if link.stands_in:
            for first, last in list(self._holes(link.first, link.last)):
                yield from self._insert(
                    ChainRange(
                        first,
                        last,
                        link.previous if first == link.first else None,
                        link.after if last == link.last else None,
                    )
                )
            return
        at = bisect_right(self.ranges, link.first, key=_first_of)
        own = self.ranges[at - 1] if at else None
        if own is not None and own.last >= link.first:
            self.repeated += 1
            if own.last == link.first and own.tail is not None and own.tail != link.after:
                yield "another batch has this sequence number", link.first
            return
        yield from self._insert(ChainRange(link.first, link.last, link.previous, link.after))

    def _holes(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        at = first
        for one in self.ranges:
            if one.first > last:
                break
            if one.first > at:
                yield at, one.first - 1
            at = max(at, one.last + 1)
        if at <= last:
            yield at, last

    def _insert(self, new: ChainRange) -> Iterator[tuple[str, int]]:
        at = bisect_right(self.ranges, new.first, key=_first_of)
        if new.first == FIRST_SEQUENCE and _differ(self._genesis, new.previous):
            yield "it does not begin the chain of its lane", new.first
        if at and self.ranges[at - 1].last + 1 == new.first:
            left = self.ranges.pop(at - 1)
            at -= 1
            if _differ(left.tail, new.previous):
                yield "does not follow the batch before it", new.first
            new = ChainRange(left.first, new.last, left.previous, new.tail)
        if at < len(self.ranges) and self.ranges[at].first == new.last + 1:
            right = self.ranges.pop(at)
            if _differ(new.tail, right.previous):
                yield "does not follow the batch before it", right.first
            new = ChainRange(new.first, right.last, new.previous, right.tail)
        if len(self.ranges) == RANGES_MAX:
            yield f"more than {RANGES_MAX} separate ranges", new.first
            return
        self.ranges.insert(at, new)


def _first_of(one: ChainRange) -> int:
    return one.first


def _differ(one: bytes | None, other: bytes | None) -> bool:
    return one is not None and other is not None and one != other
