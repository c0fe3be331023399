"""SQL statements on scores and their sums."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import delete, func, literal, select, tuple_

from cloud.clinical.acqi.indicator import Score
from cloud.clinical.acqi.model import DAY_US, ScoredEncounter
from cloud.clinical.acqi.tables import acqi_days, acqi_encounters
from cloud.clinical.epcr import encounters
from cloud.foundation.db import Records, Transaction, insert
from cloud.foundation.viewer import Viewer, visible


def _write(scores: Mapping[str, Score]) -> str:
    return orjson.dumps({name: list(score) for name, score in sorted(scores.items())}).decode()


_ENCOUNTERS = Records(
    ScoredEncounter,
    acqi_encounters,
    codecs={"scores": (_write, lambda text: {name: Score(*pair) for name, pair in orjson.loads(text).items()})},
)


@dataclass(frozen=True, slots=True, order=True)
class DaySum:
    """The sums of an indicator on one day of an organisation, at one secrecy level."""

    tenant_id: str
    day: int
    organization_id: str
    secrecy_level: int
    indicator: str
    numerator: int
    denominator: int


_DAYS = Records(DaySum, acqi_days)
_DAY_KEY = ("tenant_id", "day", "organization_id", "secrecy_level", "indicator")


class ScoreStore:
    """SQL statements on the scores of encounters and on the sums of days."""

    async def find(self, tx: Transaction, keys: Collection[tuple[str, str]]) -> Sequence[ScoredEncounter]:
        """Return the stored scores of encounters, which are named by tenant and id."""
        table = acqi_encounters.c
        chosen = tuple_(table.tenant_id, table.encounter_id).in_(sorted(keys))
        return await _ENCOUNTERS.all(tx, _ENCOUNTERS.select().where(chosen))

    async def replace(self, tx: Transaction, before: ScoredEncounter | None, after: ScoredEncounter | None) -> None:
        """Replace the scores of an encounter. None: there are none."""
        table = acqi_encounters.c
        if before is not None and after is None:
            mine = (table.tenant_id == before.tenant_id, table.encounter_id == before.encounter_id)
            await tx.execute(delete(acqi_encounters).where(*mine))
        if after is not None:
            adding = insert(acqi_encounters).values(_ENCOUNTERS.values(after))
            new = {name: adding.excluded[name] for name in ("organization_id", "secrecy_level", "at_us", "scores")}
            await tx.execute(adding.on_conflict_do_update(index_elements=["tenant_id", "encounter_id"], set_=new))

    async def expire(self, tx: Transaction, keys: Collection[tuple[str, str]]) -> None:
        """Replace the scores of encounters with none, for good. What they added to the sums stays."""
        if not keys:
            return
        table = encounters.c
        chosen = tuple_(table.tenant_id, table.id).in_(sorted(keys))
        place = (table.tenant_id, table.id)
        # As the worker does, which may be about to store scores of a record that is still complete.
        await tx.execute(select(table.id).where(chosen).order_by(*place).with_for_update(key_share=True))
        columns = {
            "tenant_id": table.tenant_id,
            "encounter_id": table.id,
            "organization_id": table.organization_id,
            "secrecy_level": table.secrecy_level,
            "at_us": table.created_at_us,
            "scores": literal(_write({})),
        }
        found = select(*columns.values()).where(chosen).order_by(*place)
        adding = insert(acqi_encounters).from_select(list(columns), found)
        emptied = {"scores": adding.excluded.scores}
        await tx.execute(adding.on_conflict_do_update(index_elements=["tenant_id", "encounter_id"], set_=emptied))

    async def add(self, tx: Transaction, sums: Iterable[DaySum]) -> None:
        """Add to the sums of days, in the order of their keys, so that two transactions do not wait for each other."""
        for one in sorted(sums):
            adding = insert(acqi_days).values(_DAYS.values(one))
            grown = {name: acqi_days.c[name] + adding.excluded[name] for name in ("numerator", "denominator")}
            await tx.execute(adding.on_conflict_do_update(index_elements=list(_DAY_KEY), set_=grown))

    async def by_day(
        self, tx: Transaction, viewer: Viewer, first_day: int, end_day: int
    ) -> Sequence[tuple[int, str, int, int]]:
        """Return day, indicator, numerator and denominator of the days from `first_day` until before `end_day`, over
        everything that the viewer may see."""
        table = acqi_days.c
        statement = (
            select(table.day, table.indicator, func.sum(table.numerator), func.sum(table.denominator))
            .where(*visible(acqi_days, viewer), table.day >= first_day, table.day < end_day)
            .group_by(table.day, table.indicator)
        )
        return [(row[0], row[1], int(row[2]), int(row[3])) for row in await tx.execute(statement)]

    async def by_encounter(
        self, tx: Transaction, viewer: Viewer, from_us: int, until_us: int
    ) -> Sequence[tuple[int, str, int, int]]:
        """Return the same of the encounters that began from `from_us` until before `until_us`, less than a day."""
        assert until_us - from_us < DAY_US, "whole days are read from their sums"
        table = acqi_encounters.c
        chosen = _ENCOUNTERS.select().where(
            *visible(acqi_encounters, viewer), table.at_us >= from_us, table.at_us < until_us
        )
        return [
            (one.day, name, *score) for one in await _ENCOUNTERS.all(tx, chosen) for name, score in one.scores.items()
        ]
