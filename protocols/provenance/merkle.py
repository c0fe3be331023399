"""Merkle tree over the records of a transcript, with proofs of inclusion and of consistency (RFC 9162 section 2.1).

Leaves and inner nodes are hashed with different first bytes, so an inner node cannot be presented as a record. A tree
of `count` leaves is split at the greatest power of two below `count`. All hashes are 32 bytes of SHA-256.
"""

import hashlib
from collections.abc import Iterable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf whose content is `entry` (RFC 9162 2.1.1)."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the inner node over two subtrees."""
    return hashlib.sha256(_NODE + left + right).digest()


class RunningRoot:
    """Root over leaves that are added one after the other. It may be read between them."""

    def __init__(self) -> None:
        self._subtrees: list[tuple[int, bytes]] = []  # (leaves in it, its root), each greater than the next

    def add(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        size, top = 1, leaf
        while self._subtrees and self._subtrees[-1][0] == size:
            top = node_hash(self._subtrees.pop()[1], top)
            size *= 2
        self._subtrees.append((size, top))

    def root(self) -> bytes:
        """Return the root over the leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        *greater, (_, top) = self._subtrees
        for _, subtree in reversed(greater):
            top = node_hash(subtree, top)
        return top


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over `leaves`, the leaf hashes in order (RFC 9162 2.1.2). Time is linear, memory logarithmic."""
    running = RunningRoot()
    for leaf in leaves:
        running.add(leaf)
    return running.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the proof that leaf `index` (from 0) is in the tree over `leaves` (RFC 9162 2.1.3.1)."""
    assert 0 <= index < len(leaves)
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root(leaves[:split])]


def is_included(leaf: bytes, index: int, count: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Return whether `proof` shows that `leaf` is at `index` (from 0) of the tree of `count` leaves with
    `expected_root` (RFC 9162 2.1.3.2)."""
    if not 0 <= index < count:
        return False
    here, last, top = index, count - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            top = node_hash(sibling, top)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            top = node_hash(top, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and top == expected_root


def consistency_proof(leaves: Sequence[bytes], count: int) -> list[bytes]:
    """Return the proof that the tree over the first `count` leaves is the beginning of the tree over `leaves`
    (RFC 9162 2.1.4.1). It is empty if both are the same tree."""
    assert 0 < count <= len(leaves)
    return _subproof(leaves, count, whole=True)


def _subproof(leaves: Sequence[bytes], count: int, *, whole: bool) -> list[bytes]:
    if count == len(leaves):
        return [] if whole else [root(leaves)]
    split = _split(len(leaves))
    if count <= split:
        return [*_subproof(leaves[:split], count, whole=whole), root(leaves[split:])]
    return [*_subproof(leaves[split:], count - split, whole=False), root(leaves[:split])]


def is_consistent(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that the tree of `first` leaves with `first_root` is the beginning of the tree of
    `second` leaves with `second_root` (RFC 9162 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    # The first tree is a full subtree of the second, so its root is the first node of the path.
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(count: int) -> int:
    """Return the greatest power of two below `count` (at least 2)."""
    return 1 << (count - 1).bit_length() - 1
