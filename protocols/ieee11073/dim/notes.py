"""Deviations that decoding tolerated, collected for the association's events. Each kind is kept once in an association,
since a device may repeat it; the number of kinds is limited, so that a hostile peer cannot fill memory.
"""

from typing import NamedTuple

from protocols.ieee11073.tolerances import Oddity

KINDS_MAX = 64
BYTES_KEPT = 256


class Note(NamedTuple):
    """One deviation: a sentence without measured values, the violated clause, and the first bytes that showed it."""

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
        """Note a deviation, unless its kind is already noted. Keyword arguments complete the sentence of `oddity`, and
        must contain no measured value; `data` may contain measured values. If `oddity` has no clause, the keyword
        argument `clause` names the violated clause."""
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
