"""Log of one report draft in memory: its changes in the order of the store, their hash chain and the present record."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.record import CareRecord, current_record
from protocols.epcr.seal import GATEWAY_AUTHOR, chain, seal_value

DRAFT_CHANGES_MAX = 10_000
"""Changes of one draft: twenty times those of a long call, and 10 MB of memory."""
CLOSING_CHANGES = 8
"""Changes beyond the limit by which a full draft is signed and sealed: four of the signature, that the
devices are free, and a seal."""


@dataclass(slots=True, eq=False)
class Draft:
    """The log of one encounter. `digest`: end of its hash chain. `epoch`: the store that has it. `expected`: the
    number of changes that the log has according to the store. Each event of `watchers` is set by a further change."""

    encounter: str
    digest: bytes
    epoch: str
    expected: int = 0
    changes: list[FieldChange] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    sealed: bool = False
    watchers: set[asyncio.Event] = field(default_factory=set)
    _record: CareRecord | None = None

    @property
    def sequence(self) -> int:
        """Number of changes in the log: the number of the last one, counted from 1."""
        return len(self.changes)

    @property
    def is_incomplete(self) -> bool:
        """True where the store has lost a part of the log."""
        return len(self.changes) < self.expected

    @property
    def record(self) -> CareRecord:
        """The current record; computed once after each change."""
        if self._record is None:
            self._record = current_record(self.changes)
        return self._record

    def take(self, change: FieldChange) -> None:
        """Add a stored change."""
        if change.id in self.ids or len(self.changes) >= DRAFT_CHANGES_MAX + CLOSING_CHANGES:
            return
        self.ids.add(change.id)
        self.changes.append(change)
        self.digest = chain(self.digest, change)
        self.sealed = self.sealed or change.key == Annotation.SEAL
        self._record = None
        for watcher in self.watchers:
            watcher.set()

    def sealing(
        self, further: Sequence[FieldChange], gateway_time_us: int, sign: Callable[[bytes], bytes]
    ) -> FieldChange:
        """Return the change that seals the log together with `further`, which follow its present end."""
        digest, count = self.digest, len(self.changes) + len(further)
        for change in further:
            digest = chain(digest, change)
        return FieldChange(
            id=f"seal-{digest.hex()[:32]}",
            encounter=self.encounter,
            key=Annotation.SEAL,
            author=GATEWAY_AUTHOR,
            gateway_time_us=gateway_time_us,
            value=seal_value(self.encounter, count, digest, sign),
        )
