"""Deviations that decoding tolerated, collected until the association emits them as events.

Each kind is kept once in an association, since a device may repeat it in every report. The number of kinds is limited,
so that a hostile peer cannot fill memory with new ones. Every deviation is a member of `tolerances.Oddity`.
"""

from typing import NamedTuple

from protocols.ieee11073.tolerances import Oddity

KINDS_MAX = 64
BYTES_KEPT = 256


class Note(NamedTuple):
    """One deviation: a sentence without measured values, the violated clause, the first bytes that showed the
    deviation, and its row in `tolerances`."""

    sentence: str
    clause: str
    octets: bytes
    oddity: Oddity


class Notes:
    """Collection of the deviations of one association."""

    __slots__ = ("_seen", "pending")

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self.pending: list[Note] = []
        """Notes since the last `drain`."""

    def restart(self) -> None:
        """Begin a new association, in which every kind may be noted again. Notes that are not yet drained stay."""
        self._seen.clear()

    def add(self, oddity: Oddity, data: bytes = b"", /, **said: object) -> None:
        """Note a deviation, unless its kind was already noted in this association.

        `said` are the arguments of the sentence in `oddity`, and must contain no measured value; `data` may contain
        one. For an oddity with an empty clause, the argument `clause=` is the clause that the failed decoder reports.
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
        """Return the pending notes, and remove them."""
        notes, self.pending = self.pending, []
        return notes
