"""The ranges of a tree that is stored in parts give the roots and proofs of the tree over its leaves (RFC 9162)."""

import hashlib
from collections.abc import Sequence

import pytest

from protocols.provenance import merkle
from protocols.provenance.tree_ranges import Leaves, consistency_ranges, full_subtrees, inclusion_ranges

LEAVES = [hashlib.sha256(bytes([number])).digest() for number in range(70)]


def hash_of(leaves: Leaves, tree: Sequence[bytes]) -> bytes:
    """Return the hash of a range, joined from its full subtrees as a keeper of stored nodes joins them."""
    hashes = [merkle.root(tree[one.first : one.end]) for one in full_subtrees(leaves)]
    top = hashes.pop()
    while hashes:
        top = merkle.node_hash(hashes.pop(), top)
    return top


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 64, 65, 70])
def test_ranges_of_every_inclusion_proof_give_the_proof_over_the_leaves(count: int) -> None:
    tree = LEAVES[:count]
    root = hash_of(Leaves(0, count), tree)
    assert root == merkle.root(tree)
    for index in range(count):
        proof = [hash_of(one, tree) for one in inclusion_ranges(index, count)]
        assert proof == merkle.inclusion_proof(tree, index)
        assert merkle.is_included(tree[index], index, count, proof, root)


def test_ranges_of_every_consistency_proof_give_the_proof_over_the_leaves() -> None:
    for later in range(1, 40):
        tree = LEAVES[:later]
        for count in range(1, later + 1):
            proof = [hash_of(one, tree) for one in consistency_ranges(count, later)]
            assert proof == merkle.consistency_proof(tree, count)
            assert merkle.is_consistent(count, merkle.root(tree[:count]), later, merkle.root(tree), proof)


def test_every_subtree_of_a_range_is_full_and_begins_at_a_multiple_of_its_size() -> None:
    for leaves in [*inclusion_ranges(37, 70), *consistency_ranges(37, 70), Leaves(0, 70)]:
        parts = list(full_subtrees(leaves))
        assert (parts[0].first, parts[-1].end) == leaves
        for first, end in parts:
            size = end - first
            assert (size & (size - 1), first % size) == (0, 0)


def test_running_root_is_the_root_over_the_leaves_at_every_size() -> None:
    running = merkle.RunningRoot()
    assert running.root() == merkle.EMPTY_ROOT
    for count, leaf in enumerate(LEAVES, 1):
        running.add(leaf)
        assert running.root() == merkle.root(LEAVES[:count])
