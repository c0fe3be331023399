"""Changes to APDUs where their structure is known; every length around a change is right, so decoders see it.

This complements `mutations`, which damages bytes anywhere. A pool knows all subtrees and numbers of a corpus: handles,
ids and codes are swapped for others of the corpus, and items for items of another APDU.
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
    """Return every path except those of the frame: the tag and the first length decide where the next APDU begins."""
    return [path for path in paths_of(tree) if len(path) > 1]


class Sample:
    """An APDU, its tree and the paths into it."""

    __slots__ = ("octets", "paths", "tree")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.tree = tree_of(octets)
        assert self.tree.octets == octets
        self.paths = inner_paths(self.tree)


class Pool:
    """The parts of all APDUs of a corpus."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        nodes = [at_path(sample.tree, path) for sample in samples for path in sample.paths]
        self.words = sorted({node.octets for node in nodes if node.kind == LEAF and len(node.octets) == 2})
        by_octets = {node.octets: node for node in nodes if node.kind != LEAF and len(node.octets) < 2000}
        self.parts = [by_octets[octets] for octets in sorted(by_octets)]
        self.named: dict[str, list[Node]] = {}
        for part in self.parts:
            self.named.setdefault(part.name, []).append(part)

    def part(self, random: Random, name: str) -> Node:
        """Return a part of the corpus, mostly one of the same kind."""
        parts = self.named.get(name, self.parts) if random.random() < 0.8 else self.parts
        return parts[int(random.random() * len(parts))]

    def changed(self, sample: Sample, random: Random) -> bytes:
        """Return the sample with one to three changes, and sometimes with a false length or count."""
        tree, paths = sample.tree, sample.paths
        for _ in range(1 + (random.random() < 0.4) + (random.random() < 0.15)):
            path = paths[int(random.random() * len(paths))]
            with suppress(IndexError):  # where the change before has left no such place
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
        """Return the items of a list with one doubled, dropped, swapped, repeated or taken from elsewhere."""
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
    """Return the node with a false length or count, in a layer whose own length is right."""
    octets = bytearray(node.octets)
    at = 2 if node.kind == LISTED and random.random() < 0.5 else 0
    word = random.choice((0, 1, 0xFFFF, 0x8000)) if random.random() < 0.4 else None
    if word is None:
        word = (int.from_bytes(octets[at : at + 2], "big") + random.choice((-2, -1, 1, 2, 4))) & 0xFFFF
    octets[at : at + 2] = word.to_bytes(2, "big")
    return Node(PLAIN, [leaf(bytes(octets))])
