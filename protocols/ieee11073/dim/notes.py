"""Deviations that decoding tolerated, collected until the association emits them.

Each kind is kept once in an association, since a device may repeat it in every report. The number of kinds is bounded
too, so that a hostile peer cannot fill memory with new ones. Every deviation is a row of `tolerances`.
"""

from typing import NamedTuple

from protocols.ieee11073.tolerances import Oddity

KINDS_MAX = 64
BYTES_KEPT = 256


class Note(NamedTuple):
    """One deviation: a sentence without measured values, the rule, the first bytes that showed it, and its row."""

    sentence: str
    clause: str
    octets: bytes
    oddity: Oddity


class Notes:
    """Collection of notes; `drain` empties it."""

    __slots__ = ("_seen", "pending")

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self.pending: list[Note] = []
        """Notes since the last `drain`."""

    def restart(self) -> None:
        """Begin a new association: every kind may be noted again. Pending notes stay."""
        self._seen.clear()

    def add(self, oddity: Oddity, data: bytes = b"", /, **said: object) -> None:
        """Note a deviation unless its kind was noted before in this association.

        `said` fills the row's sentence and must hold no measured value; `data` may. `clause=` is for rows whose
        clause is known only to the decoder that failed.
        """
        clause = str(said.pop("clause", oddity.clause))
        self._note(Note(oddity.sentence.format(**said), clause, data, oddity))

    def _note(self, note: Note) -> None:
        kind = (note.sentence, note.clause)
        if kind in self._seen or len(self._seen) > KINDS_MAX:
            return
        self._seen.add(kind)
        if len(self._seen) > KINDS_MAX:
            more = Oddity.MANY_MORE
            note = Note(more.sentence, more.clause, b"", more)
        self.pending.append(note._replace(octets=bytes(note.octets[:BYTES_KEPT])))

    def drain(self) -> list[Note]:
        """Return the notes since the last call."""
        notes, self.pending = self.pending, []
        return notes
