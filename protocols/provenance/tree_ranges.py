"""The ranges of leaves whose hashes make a root or a proof of a Merkle tree (RFC 9162 section 2.1).

A tree of millions of leaves is not in memory, so its keeper computes hashes of ranges from stored nodes. These
functions name the ranges: `merkle` computes the same proofs from leaves, and checks them. A range is its first leaf
(from 0) and the leaf after its last one. Each splits into full subtrees, whose size is a power of two and whose first
leaf is a multiple of it, so a stored node can stand for it.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Leaves(NamedTuple):
    """The leaves from `first` up to, and not including, `end`."""

    first: int
    end: int


def full_subtrees(leaves: Leaves) -> Iterator[Leaves]:
    """Yield the full subtrees of a range, from the left; each is larger than the next. The hash of the range joins them
    from the right."""
    first, end = leaves
    while first < end:
        size = 1 << (end - first).bit_length() - 1
        yield Leaves(first, first + size)
        first += size


def inclusion_ranges(index: int, count: int) -> list[Leaves]:
    """Return the ranges whose hashes prove that leaf `index` is in the tree of `count` leaves (RFC 9162 2.1.3.1)."""
    assert 0 <= index < count
    first, end = 0, count
    path = []
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            path.append(Leaves(middle, end))
            end = middle
        else:
            path.append(Leaves(first, middle))
            first = middle
    return path[::-1]


def consistency_ranges(count: int, later_count: int) -> list[Leaves]:
    """Return the ranges whose hashes prove that the tree of `count` leaves is the beginning of the tree of
    `later_count` leaves (RFC 9162 2.1.4.1). There are none if both are the same tree."""
    assert 0 < count <= later_count
    first, end = 0, later_count
    path = []
    while count != end:
        middle = first + _split(end - first)
        if count <= middle:
            path.append(Leaves(middle, end))
            end = middle
        else:
            path.append(Leaves(first, middle))
            first = middle
    if first:
        path.append(Leaves(first, end))
    return path[::-1]


def _split(count: int) -> int:
    """Return the greatest power of two below `count` (at least 2)."""
    return 1 << (count - 1).bit_length() - 1
