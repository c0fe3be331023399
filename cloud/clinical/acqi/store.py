"""SQL statements on scores and their sums."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import BigInteger, ColumnElement, Table, bindparam, cast, delete, func, literal, select, tuple_

from cloud.clinical.acqi.indicator import Score
from cloud.clinical.acqi.indicators import BY_NAME
from cloud.clinical.acqi.model import DAY_US, ScoredEncounter
from cloud.clinical.acqi.tables import acqi_days, acqi_encounters, acqi_tenant_days
from cloud.clinical.epcr import encounters
from cloud.foundation.db import Prepared, Records, Transaction, insert
from cloud.foundation.viewer import Viewer


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


@dataclass(frozen=True, slots=True, order=True)
class TenantDaySum:
    """The sums of an indicator on one day of a tenant, at one secrecy level."""

    tenant_id: str
    indicator: str
    day: int
    secrecy_level: int
    numerator: int
    denominator: int


_DAYS = Records(DaySum, acqi_days)
_TENANT_DAYS = Records(TenantDaySum, acqi_tenant_days)

DatedScore = tuple[str, int, int, int]
"""An indicator, a day since 1970-01-01, and the numerator and denominator that belong to them."""


def _visible(table: Table, *, of_organization: bool) -> Iterator[ColumnElement[bool]]:
    yield table.c.tenant_id == bindparam("tenant")
    yield table.c.secrecy_level <= bindparam("clearance")
    if of_organization:
        yield table.c.organization_id == bindparam("organization")


def _by_day(table: Table, *, of_organization: bool) -> Prepared:
    """Return the query of one indicator. The index has its rows in the order of the groups, so nothing is sorted."""
    # PostgreSQL's sum of BIGINT is a NUMERIC, which the driver converts slowly.
    sums = [cast(func.sum(column), BigInteger) for column in (table.c.numerator, table.c.denominator)]
    return Prepared(
        select(table.c.indicator, table.c.day, *sums)
        .where(
            *_visible(table, of_organization=of_organization),
            table.c.indicator == bindparam("indicator"),
            table.c.day >= bindparam("first"),
            table.c.day < bindparam("end"),
        )
        .group_by(table.c.indicator, table.c.day)
    )


def _by_encounter(*, of_organization: bool) -> Prepared:
    table = acqi_encounters.c
    return Prepared(
        select(table.at_us, table.scores).where(
            *_visible(acqi_encounters, of_organization=of_organization),
            table.at_us >= bindparam("first"),
            table.at_us < bindparam("end"),
        )
    )


BY_DAY = {
    True: _by_day(acqi_days, of_organization=True),
    False: _by_day(acqi_tenant_days, of_organization=False),
}
"""The query of the sums of one indicator: within an organisation, or of all of a tenant."""
_BY_ENCOUNTER = {True: _by_encounter(of_organization=True), False: _by_encounter(of_organization=False)}


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
        of_tenants: dict[tuple[str, str, int, int], list[int]] = {}
        for one in sorted(sums):
            await _add(tx, acqi_days, _DAYS.values(one))
            total = of_tenants.setdefault((one.tenant_id, one.indicator, one.day, one.secrecy_level), [0, 0])
            total[0] += one.numerator
            total[1] += one.denominator
        for key, (numerator, denominator) in sorted(of_tenants.items()):
            await _add(tx, acqi_tenant_days, _TENANT_DAYS.values(TenantDaySum(*key, numerator, denominator)))

    async def by_day(self, tx: Transaction, viewer: Viewer, first_day: int, end_day: int) -> Sequence[DatedScore]:
        """Return the sums of each indicator and day from `first_day` until before `end_day`, over everything that the
        viewer may see."""
        values = {**_seen_by(viewer), "first": first_day, "end": end_day}
        chosen = [{**values, "indicator": name} for name in BY_NAME]
        rows = await tx.driver.rows_many(BY_DAY[viewer.organization_id is not None], chosen)
        return [(name, day, numerator, denominator) for name, day, numerator, denominator in rows]

    async def by_encounter(self, tx: Transaction, viewer: Viewer, from_us: int, until_us: int) -> Sequence[DatedScore]:
        """Return the scores of each encounter that began from `from_us` until before `until_us`, less than a day, and
        that the viewer may see. Encounters whose scores have expired have none."""
        assert until_us - from_us < DAY_US, "whole days are read from their sums"
        values = {**_seen_by(viewer), "first": from_us, "end": until_us}
        rows = await tx.driver.rows(_BY_ENCOUNTER[viewer.organization_id is not None], values)
        return [
            (name, at_us // DAY_US, numerator, denominator)
            for at_us, scores in rows
            for name, (numerator, denominator) in orjson.loads(scores).items()
        ]


async def _add(tx: Transaction, table: Table, values: Mapping[str, Any]) -> None:
    adding = insert(table).values(values)
    grown = {name: table.c[name] + adding.excluded[name] for name in ("numerator", "denominator")}
    await tx.execute(adding.on_conflict_do_update(index_elements=list(table.primary_key), set_=grown))


def _seen_by(viewer: Viewer) -> dict[str, Any]:
    seen = {"tenant": viewer.tenant_id, "clearance": int(viewer.clearance)}
    return seen if viewer.organization_id is None else {**seen, "organization": viewer.organization_id}
