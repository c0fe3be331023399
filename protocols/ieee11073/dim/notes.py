"""Deviations that decoding met and carried on from, collected until the association tells them.

Each kind is kept once an association: a device with a habit has it in every report. The kinds are bounded too, so
that a hostile peer cannot fill memory with inventive mistakes.
"""

from typing import NamedTuple

KINDS_MAX = 64
OCTETS_KEPT = 256


class Note(NamedTuple):
    """One deviation: a sentence without measured values, the rule, and the first octets that showed it."""

    sentence: str
    clause: str
    octets: bytes


class Notes:
    """Collects notes; `taken` empties what was not told yet."""

    __slots__ = ("_seen", "_untold")

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self._untold: list[Note] = []

    def restart(self) -> None:
        """A new association begins: every kind may be told again. What was not told yet stays."""
        self._seen.clear()

    @property
    def waiting(self) -> bool:
        """Whether something was not told yet."""
        return bool(self._untold)

    def tell(self, sentence: str, clause: str, octets: bytes) -> None:
        """Notes a deviation unless its kind was noted before. `octets` may hold values, the sentence must not."""
        kind = (sentence, clause)
        if kind in self._seen or len(self._seen) > KINDS_MAX:
            return
        self._seen.add(kind)
        if len(self._seen) > KINDS_MAX:
            sentence, octets = "further deviations of this association are not listed", b""
        self._untold.append(Note(sentence, clause, bytes(octets[:OCTETS_KEPT])))

    def taken(self) -> list[Note]:
        """The notes since the last call."""
        if not self._untold:
            return []
        untold, self._untold = self._untold, []
        return untold
