"""The queries of a walk through the observations of an encounter, each compiled once for each form."""

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    SmallInteger,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from cloud.clinical.devices import devices
from cloud.clinical.observations.encounter_sources import of_viewer
from cloud.clinical.observations.minutes.body import MinuteValue
from cloud.clinical.observations.packed_walk import Place
from cloud.clinical.observations.tables import observation_channels, observation_sources, observations
from cloud.foundation.db import GivenRows, Prepared

FIELDS = MinuteValue._fields[:-1]
"""The columns of a row: those of `MinuteValue`, without the time of storing."""

_apart = GivenRows("apart", clock_id=BigInteger())
_channels = GivenRows("channels", channel_id=BigInteger())
_codes = GivenRows("codes", code=Text())
_BOUNDS = ("at", "sequence", "position", "lane")


def bound_values(name: str, place: Place) -> dict[str, int]:
    """Return the values of the parameters that are a place."""
    return dict(zip((f"{name}_{part}" for part in _BOUNDS), place, strict=True))


def _parameters(name: str) -> ColumnElement[Any]:
    types = (BigInteger, BigInteger, Integer, BigInteger)
    return tuple_(*(bindparam(f"{name}_{part}", type_=kind()) for part, kind in zip(_BOUNDS, types, strict=True)))


_LIMIT = bindparam("limit", type_=Integer())
_ROWS = observations.c
_UNTIL = bindparam("until", type_=BigInteger())


_IN_TIME = (
    _ROWS.source_id == bindparam("source", type_=BigInteger()),
    _ROWS.observed_at_us >= bindparam("from", type_=BigInteger()),
    _ROWS.observed_at_us < _UNTIL,
)
# Two queries, since SQLite looks up only one of both ends in an index.
EXTENT = Prepared(
    select(
        select(func.min(_ROWS.observed_at_us)).where(*_IN_TIME).scalar_subquery(),
        select(func.max(_ROWS.observed_at_us)).where(*_IN_TIME).scalar_subquery(),
    )
)


@cache
def source_statements(on_clock: bool, apart: bool, of_channels: bool) -> tuple[Prepared, Prepared | None]:
    """Return the query of the next rows of a source and, for some channels, the query of the end of the range at which
    it looks."""
    time = _ROWS.monotonic_us if on_clock else _ROWS.observed_at_us
    place = tuple_(time, _ROWS.sequence, _ROWS.position, _ROWS.lane_id)
    wanted: list[ColumnElement[bool]] = [
        _ROWS.source_id == bindparam("source", type_=BigInteger()),
        place > _parameters("after"),
        time < _UNTIL,
    ]
    if on_clock:
        # The partial index needs a condition that the planner can read without the parameters (`tables.ON_CLOCK`).
        wanted += [_ROWS.clock_id == bindparam("clock", type_=BigInteger()), _ROWS.clock_id > literal_column("0")]
    elif apart:
        wanted.append(or_(_ROWS.clock_id.is_(None), _ROWS.clock_id.not_in(_apart.rows("clock_id"))))
    order = (time, _ROWS.sequence, _ROWS.position, _ROWS.lane_id)
    end = select(*order).where(*wanted).order_by(*order).offset(bindparam("scan", type_=Integer())).limit(1)
    wanted.append(_ROWS.encounter_id.is_(None))
    if of_channels:
        wanted += [place <= _parameters("end"), _ROWS.channel_id.in_(_channels.rows("channel_id"))]
    rows = select(*(_ROWS[name] for name in FIELDS)).where(*wanted).order_by(*order).limit(_LIMIT)
    return Prepared(rows), Prepared(end) if of_channels else None


@cache
def posted_statement(of_organization: bool, of_device: bool, of_codes: bool) -> Prepared:
    """Return the query of the next observations that applications posted to the encounter. They are few beside those of
    a vehicle, so the filters do not limit the range at which it looks."""
    owner = func.coalesce(devices.c.merged_into, devices.c.id)
    place = (_ROWS.observed_at_us, _ROWS.sequence, _ROWS.position, _ROWS.lane_id)
    wanted: list[ColumnElement[bool]] = [
        *of_viewer(observation_sources, of_organization=of_organization),
        devices.c.secrecy_level <= bindparam("clearance", type_=SmallInteger()),
        _ROWS.encounter_id == bindparam("encounter", type_=Text()),
        tuple_(*place) > _parameters("after"),
        _ROWS.observed_at_us >= bindparam("from", type_=BigInteger()),
        _ROWS.observed_at_us < _UNTIL,
    ]
    source = observation_sources.c
    found = (
        select(*(_ROWS[name] for name in FIELDS))
        .join(observation_sources, source.source_id == _ROWS.source_id)
        .join(devices, and_(devices.c.tenant_id == source.tenant_id, devices.c.id == source.device_id))
    )
    if of_device:
        wanted.append(owner == bindparam("device", type_=Text()))
    if of_codes:
        found = found.join(observation_channels, observation_channels.c.channel_id == _ROWS.channel_id)
        wanted.append(observation_channels.c.mdc_code.in_(_codes.rows("code")))
    return Prepared(found.where(*wanted).order_by(*place).limit(_LIMIT))
