"""Keep the scores of encounters and the sums of days up to date.

Each change of an encounter or of its care record leaves a mark in its own transaction (`cloud.clinical.epcr`). A chore
takes the marks, computes the scores of the marked encounters again, and adds the differences to the sums, all in one
transaction. So an amended record corrects the sums of its day, a repeated mark changes nothing, and after a stop at any
moment the marks that are left are taken again. The sums follow a change within about ten seconds.
"""

from collections.abc import Iterator, Sequence

import structlog

from cloud.clinical.acqi.facts import Facts
from cloud.clinical.acqi.indicators import INDICATORS, KEYS
from cloud.clinical.acqi.model import ScoredEncounter
from cloud.clinical.acqi.store import DaySum, ScoreStore
from cloud.clinical.epcr import CareLog, CareRecordTooLarge, ChangedEncounters, Encounter, Encounters
from cloud.foundation.db import Transaction
from cloud.foundation.viewer import SecrecyLevel, Viewer
from protocols.epcr.catalogue import find_group
from protocols.epcr.record import current_record

log = structlog.get_logger()

CHUNK = 100
"""Marks of one transaction. Reading a record takes about a millisecond."""


def _read_keys() -> frozenset[str]:
    """Return the keys whose changes are read: the elements of the indicators, and their groups, by which an entry is
    declared void."""
    groups = {key.partition(".")[0] for key in KEYS}
    parents = {group.parent for name in groups if (group := find_group(name)) is not None and group.parent is not None}
    return KEYS | groups | parents


READ_KEYS = _read_keys()


class Scoring:
    """Computes scores and corrects sums."""

    def __init__(self) -> None:
        self._changed = ChangedEncounters()
        self._encounters = Encounters()
        self._log = CareLog()
        self._store = ScoreStore()

    async def score_next(self, tx: Transaction, _now_us: int) -> int:
        """Score the encounters of the oldest marks; return the number of marks, 0 if there are none."""
        marks = await self._changed.take(tx, CHUNK)
        if not marks:
            return 0
        keys = sorted(set(marks))
        # All rows are locked before a sum is changed, and in one order, so that two workers cannot block each other.
        found = [(key, await self._find(tx, *key)) for key in keys]
        before = {(one.tenant_id, one.encounter_id): one for one in await self._store.find(tx, keys)}
        pairs = [(before.get(key), None if one is None else await self._score(tx, one)) for key, one in found]
        await self._apply(tx, pairs)
        return len(marks)

    async def forget(self, tx: Transaction, tenant_id: str, encounter_id: str) -> None:
        """Remove an encounter from scores and sums, in the transaction that erases it."""
        stored = await self._store.find(tx, [(tenant_id, encounter_id)])
        await self._apply(tx, [(one, None) for one in stored])

    async def _find(self, tx: Transaction, tenant_id: str, encounter_id: str) -> Encounter | None:
        everything = Viewer(tenant_id, None, SecrecyLevel.TOP_SECRET)
        return await self._encounters.find(tx, everything, encounter_id, lock=True)

    async def _score(self, tx: Transaction, encounter: Encounter) -> ScoredEncounter | None:
        try:
            changes = await self._log.of_encounter(tx, encounter, keys=READ_KEYS)
        except CareRecordTooLarge as error:
            log.warning("acqi.record_not_scored", encounter=encounter.id, code=error.code)
            return None
        return scored(encounter, Facts.of(current_record(changes)))

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
