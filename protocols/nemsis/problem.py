"""Faults and losses of an export, by element."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault in one element, which blocks an export. `name` is the element of NEMSIS; `key` and `entry` are its place
    in the care record, empty where it has none. `text` is a sentence with the rule and what to do. It never repeats
    what was entered."""

    name: str
    key: str
    entry: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Omission:
    """Content that one document has and the other cannot contain. `place` is an element of the care record or of
    NEMSIS; `count` the number of times; `reason` a sentence. It never repeats what was entered."""

    place: str
    reason: str
    count: int = 1
