"""Nodes of the document: leaves have content, and branches have children in a fixed order."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leaf:
    """Element with content, such as eVitals.06."""

    name: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Element with children. `required`: the document is invalid without it. `entries`: the group of the care record
    whose entries each make one such branch; None for a branch that occurs at most once in its parent."""

    name: str
    children: tuple["Leaf | Branch", ...]
    required: bool = True
    entries: str | None = None

    def leaves(self) -> Iterator[Leaf]:
        """Yield the leaves below this branch, in the order of the document."""
        for child in self.children:
            if isinstance(child, Leaf):
                yield child
            else:
                yield from child.leaves()


def branch(name: str, *children: "str | Branch", required: bool = True, entries: str | None = None) -> Branch:
    """Return a branch. A child that is a text has the numbers of leaves of the same section: "01 02" in eCrew.CrewGroup
    are eCrew.01 and eCrew.02."""
    section = name.partition(".")[0]
    nodes: list[Leaf | Branch] = []
    for child in children:
        if isinstance(child, Branch):
            nodes.append(child)
        else:
            nodes += [Leaf(f"{section}.{number}") for number in child.split()]
    return Branch(name, tuple(nodes), required, entries)


def optional(name: str, *children: "str | Branch", entries: str | None = None) -> Branch:
    """Return a branch that the document may lack."""
    return branch(name, *children, required=False, entries=entries)
