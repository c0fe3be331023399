"""The channels of an encounter's observations: what each measures, and on which device."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Select, and_, func, select

from cloud.clinical.devices import devices
from cloud.clinical.observations.tables import observation_channels, observation_sources
from cloud.foundation.db import GivenRows, Prepared, Query, given
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, SampleArray, SampleFormat
from protocols.uplink.channels import DeviceRef


class ChannelRow(NamedTuple):
    """A row of `observation_channels`, without its fingerprint."""

    handle: int
    person: int | None
    type_partition: int
    type_code: int
    unit_partition: int | None
    unit_code: int | None
    components: str
    supplemental_types: str
    sample_format: str | None
    sample_period_s: float | None
    slope: float | None
    array_offset: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChannel:
    """A channel of a device. `device_id` is the id that partners see: for a merged device, the id of the device that it
    was merged into. `mdc_code` and `unit_ucum` are the codes as an application posted them, None for a vehicle's."""

    channel_id: int
    source_id: int
    device_id: str
    device: DeviceRef
    channel: Channel
    mdc_code: str | None
    unit_ucum: str | None


_CHANNEL, _SOURCE = observation_channels.c, observation_sources.c


def _select() -> Select[Any]:
    of_source = and_(devices.c.tenant_id == _SOURCE.tenant_id, devices.c.id == _SOURCE.device_id)
    return (
        select(
            _CHANNEL.channel_id,
            _CHANNEL.source_id,
            func.coalesce(devices.c.merged_into, devices.c.id),
            *(_SOURCE.system_id, _SOURCE.model, _SOURCE.unverified_link),
            *(_CHANNEL.mdc_code, _CHANNEL.unit_ucum),
            *(_CHANNEL[name] for name in ChannelRow._fields),
        )
        .select_from(observation_channels)
        .join(observation_sources, _SOURCE.source_id == _CHANNEL.source_id)
        .join(devices, of_source)
    )


_wanted = GivenRows("wanted", id=BigInteger())
_OF_SOURCES = Prepared(_select().where(_wanted.among(_CHANNEL.source_id, _wanted.c("id"))))
_BY_ID = Prepared(_select().where(_wanted.among(_CHANNEL.channel_id, _wanted.c("id"))))


async def channels_of_sources(query: Query, source_ids: Collection[int]) -> list[DeviceChannel]:
    """Return the channels of these sources (devices as carried by vehicles)."""
    return await _read(query, _OF_SOURCES, source_ids)


async def channels_by_id(query: Query, channel_ids: Collection[int]) -> list[DeviceChannel]:
    return await _read(query, _BY_ID, channel_ids)


async def _read(query: Query, statement: Prepared, ids: Iterable[int]) -> list[DeviceChannel]:
    values = [(one,) for one in ids]
    if not values:
        return []
    return [
        DeviceChannel(
            channel_id=channel_id,
            source_id=source_id,
            device_id=device_id,
            device=DeviceRef(system_id, model, unverified_link=bool(unverified)),
            channel=channel_of(ChannelRow(*channel)),
            mdc_code=mdc_code,
            unit_ucum=unit_ucum,
        )
        for channel_id, source_id, device_id, system_id, model, unverified, mdc_code, unit_ucum, *channel in (
            await query(statement, {"wanted": given(values)})
        )
    ]


@lru_cache(4096)
def channel_of(row: ChannelRow) -> Channel:
    """Return the channel that a row describes."""
    array = None
    if row.sample_format is not None:
        assert row.sample_period_s is not None, "the columns of an array are NULL together"
        assert row.slope is not None
        assert row.array_offset is not None
        array = SampleArray(
            format=SampleFormat(row.sample_format),
            period_s=row.sample_period_s,
            slope=row.slope,
            offset=row.array_offset,
        )
    return Channel(
        handle=row.handle,
        type=Code(row.type_partition, row.type_code),
        unit=None if row.unit_partition is None or row.unit_code is None else Code(row.unit_partition, row.unit_code),
        person=row.person,
        components=_codes(row.components),
        supplemental_types=_codes(row.supplemental_types),
        array=array,
    )


def _codes(text: str) -> tuple[Code, ...]:
    return tuple(Code(*pair) for pair in orjson.loads(text))
