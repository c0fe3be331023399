"""Keep the scores of encounters and the sums of days up to date.

Each change of an encounter or of its care record leaves a mark in its own transaction (`cloud.clinical.epcr`). The
worker reads the marked encounters and computes their scores outside of a transaction that writes, since a long record
takes a quarter of a second. One short transaction then removes the marks and adds the differences to the sums, except
for encounters that another process has handled or that changed since they were read. So an amended record corrects the
sums of its day, a repeated mark changes nothing, and after a stop at any moment the marks that are left are handled
again. The sums follow a change within about ten seconds.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import structlog

from cloud.clinical.acqi.facts import Facts
from cloud.clinical.acqi.indicators import INDICATORS, KEYS
from cloud.clinical.acqi.model import ScoredEncounter
from cloud.clinical.acqi.store import DaySum, ScoreStore
from cloud.clinical.epcr import CareLog, CareRecordTooLarge, ChangedEncounters, Encounter, Encounters, Mark
from cloud.foundation.db import Database, Transaction
from cloud.foundation.viewer import SecrecyLevel, Viewer
from protocols.epcr.catalogue import find_group
from protocols.epcr.change import FieldChange
from protocols.epcr.record import current_record

log = structlog.get_logger()

CHUNK = 100
"""Marks of one chunk. Reading a record takes about a millisecond."""
CHUNK_CHANGES = 5_000
"""Changes after which a chunk ends: reading and computing them takes about 50 ms."""
CHANGES_MAX = 20_000
"""Changes of the elements of the indicators in one record. A day of vital signs has 10 000; a longer record has no
scores, and this is logged."""


def _read_keys() -> frozenset[str]:
    """Return the keys whose changes are read: the elements of the indicators, and their groups, by which an entry is
    declared void."""
    groups = {key.partition(".")[0] for key in KEYS}
    parents = {group.parent for name in groups if (group := find_group(name)) is not None and group.parent is not None}
    return KEYS | groups | parents


READ_KEYS = _read_keys()


@dataclass(frozen=True, slots=True)
class _MarkedRecord:
    """A marked encounter as it was read. `encounter` is None if it does not exist, `changes` if it has no scores."""

    marks: Sequence[Mark]
    encounter: Encounter | None
    changes: Sequence[FieldChange] | None

    @property
    def key(self) -> tuple[str, str]:
        return self.marks[0].key

    def scored(self) -> ScoredEncounter | None:
        if self.encounter is None or self.changes is None:
            return None
        return scored(self.encounter, Facts.of(current_record(self.changes)))


class Scoring:
    """Computes scores and corrects sums."""

    def __init__(self) -> None:
        self._changed = ChangedEncounters()
        self._encounters = Encounters()
        self._log = CareLog()
        self._store = ScoreStore()

    async def score_next(self, database: Database) -> int:
        """Score the encounters of the oldest marks; return the number of marks that were removed, 0 if none is left or
        if all encounters changed meanwhile."""
        async with database.read() as tx:
            read = await self._read(tx)
        if not read:
            return 0
        scores = await asyncio.to_thread(lambda: [one.scored() for one in read])
        async with database.transaction() as tx:
            return await self._replace(tx, list(zip(read, scores, strict=True)))

    async def forget(self, tx: Transaction, tenant_id: str, encounter_id: str) -> None:
        """Remove an encounter from scores and sums, in the transaction that erases it."""
        stored = await self._store.find(tx, [(tenant_id, encounter_id)])
        await self._apply(tx, [(one, None) for one in stored])

    async def expire(self, tx: Transaction, keys: Collection[tuple[str, str]]) -> None:
        """Remove the scores of encounters, in the transaction that deletes expired changes of their records. The
        encounters are named by tenant and id."""
        await self._store.expire(tx, keys)

    async def _read(self, tx: Transaction) -> Sequence[_MarkedRecord]:
        marks: dict[tuple[str, str], list[Mark]] = {}
        for mark in await self._changed.oldest(tx, CHUNK):
            marks.setdefault(mark.key, []).append(mark)
        found: list[_MarkedRecord] = []
        changes = 0
        for key, of_key in marks.items():
            encounter = await self._find(tx, *key)
            found.append(
                _MarkedRecord(of_key, encounter, None if encounter is None else await self._changes(tx, encounter))
            )
            changes += len(found[-1].changes or ())
            if changes >= CHUNK_CHANGES:
                break
        return found

    async def _replace(self, tx: Transaction, scores: Sequence[tuple[_MarkedRecord, ScoredEncounter | None]]) -> int:
        """Store these scores, except those of encounters that changed since they were read; return the number of marks
        that were removed."""
        locked = await self._changed.lock(tx, [mark for one, _ in scores for mark in one.marks])
        # All rows are locked before a sum is changed, and in one order, so that two workers cannot block each other.
        current = [
            (one, score)
            for one, score in sorted(scores, key=lambda pair: pair[0].key)
            if locked.issuperset(one.marks) and await self._is_current(tx, one)
        ]
        keys = [one.key for one, _ in current]
        before = {(one.tenant_id, one.encounter_id): one for one in await self._store.find(tx, keys)}
        pairs = [(before.get(one.key), score) for one, score in current]
        await self._apply(tx, [(old, new) for old, new in pairs if old is None or not old.is_expired])
        done = [mark for one, _ in current for mark in one.marks]
        await self._changed.remove(tx, done)
        return len(done)

    async def _is_current(self, tx: Transaction, one: _MarkedRecord) -> bool:
        """Lock an encounter, and return whether it and its record are as they were read. A change that commits later
        leaves a mark of its own."""
        encounter = await self._find(tx, *one.key, lock=True)
        if encounter != one.encounter:
            return False
        if encounter is None or one.changes is None:
            return True
        return await self._log.count(tx, encounter, keys=READ_KEYS) == len(one.changes)

    async def _find(
        self, tx: Transaction, tenant_id: str, encounter_id: str, *, lock: bool = False
    ) -> Encounter | None:
        everything = Viewer(tenant_id, None, SecrecyLevel.TOP_SECRET)
        return await self._encounters.find(tx, everything, encounter_id, lock=lock)

    async def _changes(self, tx: Transaction, encounter: Encounter) -> Sequence[FieldChange] | None:
        try:
            return await self._log.of_encounter(tx, encounter, keys=READ_KEYS, changes_max=CHANGES_MAX)
        except CareRecordTooLarge as error:
            log.warning("acqi.record_not_scored", encounter=encounter.id, code=error.code)
            return None

    async def _apply(
        self, tx: Transaction, pairs: Sequence[tuple[ScoredEncounter | None, ScoredEncounter | None]]
    ) -> None:
        sums: dict[tuple[str, int, str, int, str], list[int]] = {}
        for before, after in pairs:
            if before == after:
                continue
            await self._store.replace(tx, before, after)
            for one, sign in ((before, -1), (after, 1)):
                for key, numerator, denominator in _parts(one):
                    total = sums.setdefault(key, [0, 0])
                    total[0] += sign * numerator
                    total[1] += sign * denominator
        await self._store.add(tx, (DaySum(*key, *total) for key, total in sums.items() if total != [0, 0]))


def scored(encounter: Encounter, facts: Facts) -> ScoredEncounter | None:
    """Return the scores of an encounter with these facts; None if it counts for no indicator."""
    scores = {one.name: score for one in INDICATORS if (score := one.score(facts)) is not None}
    if not scores:
        return None
    return ScoredEncounter(
        tenant_id=encounter.tenant_id,
        encounter_id=encounter.id,
        organization_id=encounter.organization_id,
        secrecy_level=encounter.secrecy_level,
        at_us=encounter.created_at_us,
        scores=scores,
    )


def _parts(one: ScoredEncounter | None) -> Iterator[tuple[tuple[str, int, str, int, str], int, int]]:
    """Yield the key of a sum with the numerator and denominator that an encounter adds to it."""
    if one is not None:
        for name, (numerator, denominator) in one.scores.items():
            key = (one.tenant_id, one.day, one.organization_id, int(one.secrecy_level), name)
            yield key, numerator, denominator
