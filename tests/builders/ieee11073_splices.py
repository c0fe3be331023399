"""Structured changes to APDUs. Every length around a change is right, so that the change reaches the decoders.

This complements `mutations`, which damages bytes anywhere. A pool holds all subtrees and two-byte numbers of a corpus.
Handles, ids and codes are replaced by others of the corpus, and list items by items of other APDUs.
"""

from collections.abc import Iterable
from contextlib import suppress
from random import Random

from tests.builders.ieee11073_trees import (
    COUNTED,
    LEAF,
    LISTED,
    PLAIN,
    Node,
    Path,
    at_path,
    leaf,
    paths_of,
    replaced,
    tree_of,
)

APDU_BYTES_MAX = 60_000
_NUMBERS = (0x0000, 0x0001, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x00FF, 0xF000, 0x07FF, 0x0800)


def inner_paths(tree: Node) -> list[Path]:
    """Return every path of the tree except the paths of the frame (the tag and the first length), which decide where
    the next APDU begins."""
    return [path for path in paths_of(tree) if len(path) > 1]


class Sample:
    """An APDU, its tree (see `trees`), and the paths to the nodes that may be changed."""

    __slots__ = ("octets", "paths", "tree")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.tree = tree_of(octets)
        assert self.tree.octets == octets
        self.paths = inner_paths(self.tree)


class Pool:
    """All subtrees and two-byte numbers of the APDUs of a corpus, with which a fuzzer replaces parts of an APDU."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        nodes = [at_path(sample.tree, path) for sample in samples for path in sample.paths]
        self.words = sorted({node.octets for node in nodes if node.kind == LEAF and len(node.octets) == 2})
        by_octets = {node.octets: node for node in nodes if node.kind != LEAF and len(node.octets) < 2000}
        self.parts = [by_octets[octets] for octets in sorted(by_octets)]
        self.named: dict[str, list[Node]] = {}
        for part in self.parts:
            self.named.setdefault(part.name, []).append(part)

    def part(self, random: Random, name: str) -> Node:
        """Return a random subtree of the corpus. In 80 % of cases the subtree has the wire type or field `name`, if the
        corpus has one."""
        parts = self.named.get(name, self.parts) if random.random() < 0.8 else self.parts
        return parts[int(random.random() * len(parts))]

    def changed(self, sample: Sample, random: Random) -> bytes:
        """Return the sample's bytes with one to three changes, which sometimes set a false length or count."""
        tree, paths = sample.tree, sample.paths
        for _ in range(1 + (random.random() < 0.4) + (random.random() < 0.15)):
            path = paths[int(random.random() * len(paths))]
            with suppress(IndexError):  # an earlier change may have removed this path
                tree = replaced(tree, path, lambda node: self._change(node, random))
            if len(tree.octets) > APDU_BYTES_MAX:
                return sample.octets
        return tree.octets

    def _change(self, node: Node, random: Random) -> Node:
        if node.kind == LEAF:
            return leaf(self._leaf(node.octets, random))
        choice = random.random()
        if node.kind == LISTED and choice < 0.7:
            return Node(LISTED, self._items(list(node.children), random), name=node.name)
        if choice < 0.86:
            return self.part(random, node.name)
        if node.kind in (COUNTED, LISTED) and choice < 0.96:
            return _lying(node, random)
        return Node(node.kind, [leaf(random.randbytes(random.randrange(0, 24)))], name=node.name)

    def _leaf(self, octets: bytes, random: Random) -> bytes:
        choice = random.random()
        if len(octets) == 2 and choice < 0.45:
            return self.words[int(random.random() * len(self.words))]
        if len(octets) == 2 and choice < 0.7:
            return _NUMBERS[int(random.random() * len(_NUMBERS))].to_bytes(2, "big")
        if choice < 0.6 and octets:
            at = int(random.random() * len(octets))
            return octets[:at] + bytes((octets[at] ^ 1 << int(random.random() * 8),)) + octets[at + 1 :]
        if choice < 0.9:
            return random.randbytes(len(octets))
        if choice < 0.95:
            return octets[: int(random.random() * (len(octets) + 1))]
        return octets + random.randbytes(1 + int(random.random() * 8))

    def _items(self, items: list[Node], random: Random) -> list[Node]:
        """Return the items of a list with one change: an item duplicated, dropped, swapped with another, repeated up to
        60 times, or replaced by an item of the corpus."""
        if not items:
            return [self.part(random, "")]
        choice, at = random.random(), int(random.random() * len(items))
        if choice < 0.3:
            items.insert(at, items[int(random.random() * len(items))])
        elif choice < 0.5:
            del items[at]
        elif choice < 0.7:
            other = int(random.random() * len(items))
            items[at], items[other] = items[other], items[at]
        elif choice < 0.75:
            items[at:at] = [items[at]] * random.choice((2, 7, 60))
        else:
            items[at] = self.part(random, items[at].name)
        return items


def _lying(node: Node, random: Random) -> Node:
    """Return the node with a false length or count; the lengths of the layers around the node stay right."""
    octets = bytearray(node.octets)
    at = 2 if node.kind == LISTED and random.random() < 0.5 else 0
    word = random.choice((0, 1, 0xFFFF, 0x8000)) if random.random() < 0.4 else None
    if word is None:
        word = (int.from_bytes(octets[at : at + 2], "big") + random.choice((-2, -1, 1, 2, 4))) & 0xFFFF
    octets[at : at + 2] = word.to_bytes(2, "big")
    return Node(PLAIN, [leaf(bytes(octets))])
