"""Count the observations of an encounter: those of devices while they were assigned to it, and those posted to it.
Observations of the last days are single rows, and earlier ones are in minute rows.

The count stops at a limit, because an hour with a patient is some hundred thousand rows, and the exact number has no
use. Packed waveforms are counted by runs, which are about a second long: a run counts with the encounter at its
beginning.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from cloud.clinical.assignments import assignments
from cloud.clinical.devices import devices
from cloud.clinical.observations.clocks import OF_CLOCK, clocks_of
from cloud.clinical.observations.encounter_sources import carried, of_viewer, viewer_values
from cloud.clinical.observations.minutes.reading import TIME_MAX_US, MinuteSelection
from cloud.clinical.observations.tables import (
    SYNCHRONISED_CLOCK_ID,
    clock_anchors,
    lane_days,
    observation_clocks,
    observation_sources,
    observations,
)
from cloud.clinical.waveforms import waveform_sources
from cloud.foundation.db import Database, Prepared, Transaction
from cloud.foundation.viewer import Viewer, visible

ORIGIN_API = "api"
"""Origin of the sources of posted observations."""
COUNT_MAX = 10_000
"""The value of `observation_count` for this number of observations and more."""


async def count_in_encounter(database: Database, viewer: Viewer, encounter_id: str) -> int:
    """Count those observations of an encounter that the viewer may see. The count stops at `COUNT_MAX`. Usually the
    encounter is a present one, whose observations are single rows with known times: a few fast queries count them."""
    of_organization = viewer.organization_id is not None
    values = {**viewer_values(viewer), "encounter": encounter_id, "limit": COUNT_MAX}
    sources = await database.peek(_sources_statement(of_organization), values)
    if any(needs_more for *_, needs_more, _ in sources):
        async with database.read() as tx:
            return await count_observations(tx, viewer, encounter_id)
    counted = int((await database.peek(_posted_statement(of_organization), values))[0][0])
    for source_id, from_us, until_us, origin, *_ in sources:
        if counted < COUNT_MAX:
            span = {"source": source_id, "from": from_us, "until": TIME_MAX_US if until_us is None else until_us}
            statement = _COUNT_POSTED if origin == ORIGIN_API else _COUNT_SENT
            counted += int((await database.peek(statement, {**span, "limit": COUNT_MAX}))[0][0])
    return min(counted, COUNT_MAX)


@cache
def _sources_statement(of_organization: bool) -> Prepared:
    """Return the query of an encounter's sources, with their intervals, and whether a source has observations that are
    not single rows or whose time the gateway did not know."""
    source = observation_sources.c.source_id
    on_clock = (observations.c.source_id == source, observations.c.clock_id > literal_column("0"))
    needs_more = or_(
        exists().where(lane_days.c.source_id == source),
        exists().where(waveform_sources.c.source_id == source),
        exists().where(*on_clock),
    )
    interval = (assignments.c.from_us, assignments.c.until_us)
    return Prepared(
        carried(source, *interval, observation_sources.c.origin, needs_more, of_organization=of_organization)
    )


@cache
def _posted_statement(of_organization: bool) -> Prepared:
    """Return the query that counts what applications posted to the encounter by its id."""
    some: Select[Any] = (
        select(literal_column("1"))
        .select_from(observations)
        .join(observation_sources, observation_sources.c.source_id == observations.c.source_id)
        .where(
            *of_viewer(observation_sources, of_organization=of_organization),
            observations.c.encounter_id == bindparam("encounter", type_=Text()),
        )
        .limit(_LIMIT)
    )
    return Prepared(select(func.count()).select_from(some.subquery()))


_LIMIT = bindparam("limit", type_=Integer())


def _count_statement(*conditions: ColumnElement[bool]) -> Prepared:
    some: Select[Any] = (
        select(literal_column("1"))
        .select_from(observations)
        .where(
            observations.c.source_id == bindparam("source", type_=BigInteger()),
            observations.c.observed_at_us >= bindparam("from", type_=BigInteger()),
            observations.c.observed_at_us < bindparam("until", type_=BigInteger()),
            *conditions,
        )
        .limit(_LIMIT)
    )
    return Prepared(select(func.count()).select_from(some.subquery()))


_COUNT_SENT = _count_statement()
"""Counts in the index alone: only an application names an encounter."""
_COUNT_POSTED = _count_statement(observations.c.encounter_id.is_(None))


async def count_observations(tx: Transaction, viewer: Viewer, encounter_id: str) -> int:
    """Count those observations of an encounter that the viewer may see. The count stops at `COUNT_MAX`."""
    counted = 0
    for rows in (_posted(viewer, encounter_id), _by_own_time(viewer, encounter_id), _by_anchor(viewer, encounter_id)):
        if counted < COUNT_MAX:
            counted += await _count(tx, rows, COUNT_MAX - counted)
    if counted < COUNT_MAX:
        counted += await _count_compact(tx, viewer, encounter_id, COUNT_MAX - counted)
    return min(counted, COUNT_MAX)


async def _count_compact(tx: Transaction, viewer: Viewer, encounter_id: str, limit: int) -> int:
    """Count the observations of an encounter that are in minute rows or packed; the count may stop at `limit`."""
    source_id = observation_sources.c.source_id
    spans = _carried(viewer, encounter_id, source_id, assignments.c.from_us, assignments.c.until_us)
    counted = 0
    for row in await tx.execute(spans):
        until_us = TIME_MAX_US if row.until_us is None else row.until_us
        clocks = await clocks_of(tx, row.source_id)
        # The times of these clocks are corrected, or certainly wrong, so their own times do not count.
        apart = [clock.clock_id for clock in clocks if clock.anchor is not None or clock.estimated]
        wanted = [(MinuteSelection(row.source_id, None, apart), 0)]
        for clock in clocks:
            if clock.anchor is not None:
                wanted.append((MinuteSelection(row.source_id, clock.clock_id), clock.anchor.offset_us))
        for selection, offset_us in wanted:
            if counted < limit:
                own = row.from_us - offset_us, until_us - (offset_us if until_us < TIME_MAX_US else 0)
                counted += await selection.count(tx, *own, limit - counted)
                counted += await _count_packed(tx, selection, *own)
    return counted


async def _count_packed(tx: Transaction, selection: MinuteSelection, from_us: int, until_us: int) -> int:
    """Count the observations of the runs that begin in this time, by the clock of the selection."""
    spans = waveform_sources.c
    begin, of_clock = spans.monotonic_from_us, spans.clock_id == selection.clock_id
    if selection.clock_id is None:
        begin, of_clock = spans.from_us, spans.clock_id.not_in(selection.apart)
    here = (spans.source_id == selection.source_id, of_clock, begin >= from_us, begin < until_us)
    # A run has at least one observation, so no more runs than the limit have to be read.
    some = select(spans.observations).where(*here).limit(COUNT_MAX).subquery()
    return int((await tx.execute(select(func.coalesce(func.sum(some.c.observations), 0)))).scalar())


async def _count(tx: Transaction, rows: Select[Any], limit: int) -> int:
    return int((await tx.execute(select(func.count()).select_from(rows.limit(limit).subquery()))).scalar())


def _posted(viewer: Viewer, encounter_id: str) -> Select[Any]:
    return (
        select(literal_column("1").label("one"))
        .select_from(observations)
        .join(observation_sources, observation_sources.c.source_id == observations.c.source_id)
        .where(*visible(observation_sources, viewer), observations.c.encounter_id == encounter_id)
    )


def _by_own_time(viewer: Viewer, encounter_id: str) -> Select[Any]:
    """Select the encounter's observations whose stored time is used as it is, because there is no anchor (offset of a
    gateway's monotonic clock to wall time) to correct it. Observations with a certainly wrong time are left out."""
    at_us, clock = observations.c.observed_at_us, observations.c.clock_id
    anchored = exists().where(
        observation_clocks.c.clock_id == clock,
        OF_CLOCK,
        or_(clock_anchors.c.offset_us.is_not(None), clock_anchors.c.estimated),
    )
    within = and_(at_us >= assignments.c.from_us, or_(assignments.c.until_us.is_(None), at_us < assignments.c.until_us))
    trusted = or_(clock.is_(None), clock == SYNCHRONISED_CLOCK_ID, ~anchored)
    return _assigned(viewer, encounter_id).where(within, trusted)


def _by_anchor(viewer: Viewer, encounter_id: str) -> Select[Any]:
    """Select the encounter's observations whose time is corrected by an anchor: the offset of the monotonic clock of
    one gateway boot to wall time."""
    at_us, offset_us = observations.c.monotonic_us, clock_anchors.c.offset_us
    within = and_(
        observations.c.clock_id > SYNCHRONISED_CLOCK_ID,
        at_us >= assignments.c.from_us - offset_us,
        or_(assignments.c.until_us.is_(None), at_us < assignments.c.until_us - offset_us),
    )
    return (
        _assigned(viewer, encounter_id)
        .join(observation_clocks, observation_clocks.c.clock_id == observations.c.clock_id)
        .join(clock_anchors, OF_CLOCK)
        .where(within)
    )


def _assigned(viewer: Viewer, encounter_id: str) -> Select[Any]:
    """Select the observations of devices that are assigned to the encounter, and of devices merged with them. The
    observations may be of any time: the caller adds the interval of the assignment."""
    return _carried(viewer, encounter_id, literal_column("1").label("one")).join(
        observations,
        and_(observations.c.source_id == observation_sources.c.source_id, observations.c.encounter_id.is_(None)),
    )


def _carried(viewer: Viewer, encounter_id: str, *columns: ColumnElement[Any]) -> Select[Any]:
    """Select these columns of the assignments of devices to the encounter, with the sources of these devices and of
    devices merged with them."""
    named, measuring = devices.alias("named"), devices.alias("measuring")
    owner = func.coalesce(named.c.merged_into, named.c.id)
    of_owner = or_(measuring.c.id == owner, measuring.c.merged_into == owner)
    return (
        select(*columns)
        .select_from(assignments)
        .join(named, and_(named.c.tenant_id == assignments.c.tenant_id, named.c.id == assignments.c.device_id))
        .join(measuring, and_(measuring.c.tenant_id == named.c.tenant_id, of_owner))
        .join(
            observation_sources,
            and_(
                observation_sources.c.tenant_id == measuring.c.tenant_id,
                observation_sources.c.device_id == measuring.c.id,
            ),
        )
        .where(
            *visible(assignments, viewer),
            *visible(observation_sources, viewer),
            assignments.c.encounter_id == encounter_id,
            assignments.c.voided_at_us.is_(None),
        )
    )
