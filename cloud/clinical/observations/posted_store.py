"""SQL statements that write posted observations.

Posting is the hot path of the API, so usually one statement does all work for one row or many: it checks that the actor
may use the device, that the device is active and equals this process's snapshot, finds source and channel by their
fingerprint, and writes the row. So a stale snapshot is never used. When no row is written, something is new or wrong,
and the slow path finds out what.
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
from cloud.foundation.viewer import Actor

ORIGIN = "api"
SNAPSHOTS_MAX = 16_384
"""Device snapshots in a process; some hundred bytes each."""

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
"""The parameters of each row; the statement verifies them before it writes the row."""


def _write(rows: int) -> Prepared:
    """Return the SQL statement that writes this number of rows. Its result is the sequence of each written row."""
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


BATCH_SIZES = (32, 8, 4, 2, 1)
"""Rows of a statement: a few statement texts serve every number of rows."""

_WRITE = {rows: _write(rows) for rows in BATCH_SIZES}

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
class DeviceSnapshot:
    """A device as this process last read it: its class, and the fields of its source (the row that describes the device
    and its vehicle for all their observations)."""

    tenant_id: str
    organization_id: str
    device_id: str
    vehicle_id: str | None
    system_id: str | None
    model: str
    device_class: DeviceClass

    @classmethod
    def of(cls, device: Device) -> "DeviceSnapshot":
        """Return the snapshot of an enrolled device."""
        assert device.device_class is not None, "an enrolled device has a class"
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
        """Return the device's columns in `observation_sources`. `system_id` is "" for a device without a system id."""
        return {
            "tenant_id": self.tenant_id,
            "organization_id": self.organization_id,
            "vehicle_id": self.vehicle_id,
            "device_id": self.device_id,
            "system_id": self.system_id or "",
            "model": self.model,
            "origin": ORIGIN,
        }


class DeviceSnapshots:
    """The process's cache of device snapshots. When the cache is full, the oldest snapshot is dropped.
    `PostedObservations.write` compares each snapshot with the stored device."""

    def __init__(self, limit: int = SNAPSHOTS_MAX) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[str, str], DeviceSnapshot] = OrderedDict()

    def get(self, tenant_id: str, device_id: str) -> DeviceSnapshot | None:
        return self._known.get((tenant_id, device_id))

    def add(self, device: DeviceSnapshot) -> None:
        self._known[device.tenant_id, device.device_id] = device
        if len(self._known) > self._limit:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A posted observation that is to be written, with its actor and the snapshot of its device."""

    actor: Actor
    device: DeviceSnapshot
    posted: PostedObservation


class PostedObservations:
    """SQL statements that write posted observations."""

    async def write(self, tx: Transaction, rows: Sequence[PendingRow]) -> set[int]:
        """Write the rows that pass all checks; return their sequences. The device must be visible to the actor, active
        and equal to its snapshot. The channel must exist, a named encounter must be visible, and the sequence must be
        unused."""
        written: set[int] = set()
        at = 0
        for size in BATCH_SIZES:
            while len(rows) - at >= size:
                values = {
                    f"{name}_{number}": value
                    for number, row in enumerate(rows[at : at + size])
                    for name, value in _given(row).items()
                }
                written.update(int(found[0]) for found in await tx.driver.rows(_WRITE[size], values))
                at += size
        return written

    async def prepare(self, tx: Transaction, device: DeviceSnapshot, measured: Measured) -> None:
        """Add the rows for the source (device and vehicle) and for the channel (what is measured) of a posted
        observation, if these rows do not exist."""
        source = device.source()
        fingerprint = _source_fingerprint(device)
        rows = await tx.driver.rows(_FIND_SOURCE, {"of_fingerprint": fingerprint})
        if not rows:
            # `unverified_link` is not in the fingerprint: it is always False, since the token identifies the sender.
            await tx.driver.run(_ADD_SOURCE, {"fingerprint": fingerprint, **source, "unverified_link": False})
            rows = await tx.driver.rows(_FIND_SOURCE, {"of_fingerprint": fingerprint})
        kind, unit = measured.type, measured.unit
        await tx.driver.run(
            _ADD_CHANNEL,
            {
                "fingerprint": _channel_fingerprint(device, measured),
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


def _given(row: PendingRow) -> Mapping[str, Any]:
    actor, device, posted = row.actor, row.device, row.posted
    return {
        "sequence": posted.sequence,
        "observed_at": posted.observed_at_us,
        "received_at": posted.received_at_us,
        "value": posted.value,
        "encounter": posted.encounter_id,
        "tenant": actor.tenant_id,
        "device": device.device_id,
        "organization": actor.organization_id,
        "clearance": int(actor.clearance),
        "vehicle": device.vehicle_id,
        "system_id": device.system_id,
        "model": device.model,
        "device_class": device.device_class.value,
        "fingerprint": _channel_fingerprint(device, posted.measured),
    }


@lru_cache(SNAPSHOTS_MAX)
def _source_fingerprint(device: DeviceSnapshot) -> bytes:
    return hashlib.sha256(orjson.dumps(list(device.source().values()))).digest()


@lru_cache(SNAPSHOTS_MAX)
def _channel_fingerprint(device: DeviceSnapshot, measured: Measured) -> bytes:
    """Return the fingerprint of a channel of posted observations. It never equals the fingerprint of a gateway's
    channel: the hashed JSON array of a gateway's channel begins with a number, and the array here begins with a text.
    """
    whole = [ORIGIN, _source_fingerprint(device).hex(), measured.mdc_code, measured.unit_code]
    return hashlib.sha256(orjson.dumps(whole)).digest()
