"""The rows of posted observations.

Posting is the hot path of the API, so the usual case is one statement, for one row or for many: it looks the device up,
checks that it is the viewer's, active and still what this process remembers of it, finds source and channel by their
fingerprint, and writes the row. When it wrote none, something is new or wrong, and the slow path finds out what.
What is remembered is only a guess that the statement verifies; so nothing here is stale, also with several processes.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    and_,
    bindparam,
    column,
    exists,
    literal,
    or_,
    select,
    values,
)
from sqlalchemy.types import TypeEngine

from cloud.clinical.devices import Device, DeviceClass, DeviceStatus, devices
from cloud.clinical.epcr import encounters
from cloud.clinical.observations.posted import PostedObservation
from cloud.clinical.observations.tables import API_LANE_ID, observation_channels, observation_sources, observations
from cloud.clinical.observations.vocabulary import Measured
from cloud.foundation.db import Prepared, Transaction, insert
from cloud.foundation.viewer import Viewer

ORIGIN = "api"
REMEMBERED_MAX = 16_384
"""Devices remembered in a process; some hundred octets each."""

_channels, _sources = observation_channels.c, observation_sources.c
_GIVEN: tuple[tuple[str, TypeEngine[Any]], ...] = (
    ("sequence", BigInteger()),
    ("observed_at", BigInteger()),
    ("received_at", BigInteger()),
    ("value", Double()),
    ("encounter", Text()),
    ("tenant", Text()),
    ("device", Text()),
    ("organization", Text()),
    ("clearance", SmallInteger()),
    ("vehicle", Text()),
    ("system_id", Text()),
    ("model", Text()),
    ("device_class", Text()),
    ("fingerprint", LargeBinary()),
)
"""What the statement is given for each row, and verifies before it writes the row."""


def _write(rows: int) -> Prepared:
    """So many rows at once; the sequences of those that were written come back."""
    given = (
        values(*(column(name, kind) for name, kind in _GIVEN), name="given")
        .data([tuple(bindparam(f"{name}_{row}", type_=kind) for name, kind in _GIVEN) for row in range(rows)])
        .cte("posted")
    )
    g = given.c
    same_device = and_(
        devices.c.tenant_id == g.tenant,
        devices.c.id == g.device,
        devices.c.organization_id == g.organization,
        devices.c.secrecy_level <= g.clearance,
        devices.c.status == DeviceStatus.ACTIVE.value,
        devices.c.vehicle_id.is_not_distinct_from(g.vehicle),
        devices.c.system_id.is_not_distinct_from(g.system_id),
        devices.c.model == g.model,
        devices.c.device_class == g.device_class,
    )
    same_encounter = exists().where(
        encounters.c.tenant_id == g.tenant,
        encounters.c.id == g.encounter,
        encounters.c.organization_id == g.organization,
        encounters.c.secrecy_level <= g.clearance,
    )
    written = {
        "lane_id": literal(API_LANE_ID, BigInteger),
        "sequence": g.sequence,
        "position": literal(0, Integer),
        "source_id": _channels.source_id,
        "channel_id": _channels.channel_id,
        "observed_at_us": g.observed_at,
        "uncertainty_us": literal(0, BigInteger),
        "received_at_us": g.received_at,
        "number": g.value,
        "status": literal(0, Integer),
        "stored": literal(False, Boolean),
        "encounter_id": g.encounter,
    }
    found = (
        select(*written.values())
        .select_from(
            given.join(devices, same_device).join(observation_channels, _channels.fingerprint == g.fingerprint)
        )
        .where(or_(g.encounter.is_(None), same_encounter))
    )
    statement = insert(observations).from_select(list(written), found)
    return Prepared(statement.on_conflict_do_nothing().returning(observations.c.sequence))


HELPINGS = (32, 8, 4, 2, 1)
"""Rows of a statement: few texts that serve every number of rows."""

_WRITE = {rows: _write(rows) for rows in HELPINGS}

_FIND_SOURCE = Prepared(select(_sources.source_id).where(_sources.fingerprint == bindparam("of_fingerprint")))
_ADD_SOURCE = Prepared(
    insert(observation_sources)
    .values({name: bindparam(name) for name in observation_sources.c.keys() if name != "source_id"})  # noqa: SIM118  a Core collection's keys, not a dict's
    .on_conflict_do_nothing()
)
_CHANNEL_FIELDS = (
    "fingerprint",
    "source_id",
    "handle",
    "type_partition",
    "type_code",
    "unit_partition",
    "unit_code",
    "components",
    "supplemental_types",
    "mdc_code",
    "unit_ucum",
)
_ADD_CHANNEL = Prepared(
    insert(observation_channels).values({name: bindparam(name) for name in _CHANNEL_FIELDS}).on_conflict_do_nothing()
)


@dataclass(frozen=True, slots=True)
class Carried:
    """A device as far as a source depends on it, and its class. What a process remembers of it."""

    tenant_id: str
    organization_id: str
    device_id: str
    vehicle_id: str | None
    system_id: str | None
    model: str
    device_class: DeviceClass

    @classmethod
    def of(cls, device: Device) -> "Carried":
        """An enrolled device; those have a class."""
        assert device.device_class is not None
        return cls(
            device.tenant_id,
            device.organization_id,
            device.id,
            device.vehicle_id,
            device.system_id,
            device.model,
            device.device_class,
        )

    def source(self) -> Mapping[str, Any]:
        """The columns of its source. A device without a system id of its own has "" there."""
        return {
            "tenant_id": self.tenant_id,
            "organization_id": self.organization_id,
            "vehicle_id": self.vehicle_id,
            "device_id": self.device_id,
            "system_id": self.system_id or "",
            "model": self.model,
            "origin": ORIGIN,
        }


class RememberedDevices:
    """What this process saw of devices lately, oldest forgotten first. Guesses: the statement verifies them."""

    def __init__(self, limit: int = REMEMBERED_MAX) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[str, str], Carried] = OrderedDict()

    def get(self, tenant_id: str, device_id: str) -> Carried | None:
        return self._known.get((tenant_id, device_id))

    def learn(self, carried: Carried) -> None:
        self._known[carried.tenant_id, carried.device_id] = carried
        if len(self._known) > self._limit:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Place:
    """One row to be written: who posts, what is remembered of the device, and the observation."""

    viewer: Viewer
    carried: Carried
    posted: PostedObservation


class PostedObservations:
    """Every statement about what applications post."""

    async def write(self, tx: Transaction, places: Sequence[Place]) -> set[int]:
        """Append each row whose device is the viewer's, active and as remembered, whose channel is known, and whose
        encounter (where one is named) is the viewer's. The sequences of those that were written; a missing one may also
        have been minted by another process.
        """
        written: set[int] = set()
        at = 0
        for rows in HELPINGS:
            while len(places) - at >= rows:
                some = {
                    f"{name}_{row}": value
                    for row, place in enumerate(places[at : at + rows])
                    for name, value in _given(place).items()
                }
                written.update(int(row[0]) for row in await tx.driver.rows(_WRITE[rows], some))
                at += rows
        return written

    async def prepare(self, tx: Transaction, carried: Carried, measured: Measured) -> None:
        """See that the device's source and the channel exist."""
        source = carried.source()
        fingerprint = _source_fingerprint(carried)
        rows = await tx.driver.rows(_FIND_SOURCE, {"of_fingerprint": fingerprint})
        if not rows:
            # No part of the fingerprint: an application's token says who posted.
            await tx.driver.run(_ADD_SOURCE, {"fingerprint": fingerprint, **source, "unverified_link": False})
            rows = await tx.driver.rows(_FIND_SOURCE, {"of_fingerprint": fingerprint})
        kind, unit = measured.type, measured.unit
        await tx.driver.run(
            _ADD_CHANNEL,
            {
                "fingerprint": _channel_fingerprint(carried, measured),
                "source_id": rows[0][0],
                "handle": 0,
                "type_partition": 0 if kind is None else kind.partition,
                "type_code": 0 if kind is None else kind.code,
                "unit_partition": None if unit is None else unit.partition,
                "unit_code": None if unit is None else unit.code,
                "components": "[]",
                "supplemental_types": "[]",
                "mdc_code": measured.mdc_code,
                "unit_ucum": measured.unit_code,
            },
        )


def _given(place: Place) -> Mapping[str, Any]:
    viewer, carried, posted = place.viewer, place.carried, place.posted
    return {
        "sequence": posted.sequence,
        "observed_at": posted.observed_at_us,
        "received_at": posted.received_at_us,
        "value": posted.value,
        "encounter": posted.encounter_id,
        "tenant": viewer.tenant_id,
        "device": carried.device_id,
        "organization": viewer.organization_id,
        "clearance": int(viewer.clearance),
        "vehicle": carried.vehicle_id,
        "system_id": carried.system_id,
        "model": carried.model,
        "device_class": carried.device_class.value,
        "fingerprint": _channel_fingerprint(carried, posted.measured),
    }


@lru_cache(REMEMBERED_MAX)
def _source_fingerprint(carried: Carried) -> bytes:
    return hashlib.sha256(orjson.dumps(list(carried.source().values()))).digest()


@lru_cache(REMEMBERED_MAX)
def _channel_fingerprint(carried: Carried, measured: Measured) -> bytes:
    """Of another form than a vehicle's channel, which begins with a number, so the two never meet."""
    whole = [ORIGIN, _source_fingerprint(carried).hex(), measured.mdc_code, measured.unit_code]
    return hashlib.sha256(orjson.dumps(whole)).digest()
