"""Write observations as JSON, one text for each.

A page of a thousand observations is written from prepared fragments: the text that all observations of a channel share
is made once, and a row adds its value and its times. Building and encoding an object for each row would take longer
than reading it from the database.

A text that a device sent as a value is withheld, since a device may send a name that its user typed.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from cloud.clinical.encounter_data.selection import mdc_code_of
from cloud.clinical.observations import (
    API_LANE_ID,
    DeviceChannel,
    EncounterRow,
    EncounterWalks,
    flags_of_posted,
    public_id,
    time_of,
    value_of,
)
from protocols.ieee11073.nomenclature import name_of, term_of
from protocols.observation import status_names
from protocols.observation_record import UNVERIFIED_LINK, utc_text, value_json
from protocols.plausibility import IMPLAUSIBLE_VALUE, Bounds, bounds_of, is_implausible

TEXT_WITHHELD = "text_withheld"
"""The flag of an observation whose value is a text, which is not shown."""

Lanes = Mapping[int, tuple[str, str, str]]
"""Gateway, epoch and lane of each lane id."""


def unit_code_of(channel: DeviceChannel) -> str | None:
    """Return the UCUM unit of a channel: as it was posted, or that of the device's unit. None: no unit, or an unknown
    one."""
    if channel.unit_ucum is not None:
        return channel.unit_ucum
    unit = channel.channel.unit
    return (term_of(unit).ucum or None) if unit is not None else None


def bounds_of_channel(channel: DeviceChannel) -> Bounds | None:
    """Return the bounds of plausible values of a channel with one number; None where no bounds are known."""
    unit = unit_code_of(channel)
    return None if unit is None else bounds_of(mdc_code_of(channel), unit)


def described(channel: DeviceChannel) -> dict[str, Any]:
    """Return the JSON fields that all observations of a channel share."""
    measured = channel.channel
    return {
        "device_id": channel.device_id,
        "mdc_code": mdc_code_of(channel),
        "unit_code": unit_code_of(channel),
        "handle": None if channel.mdc_code is not None else measured.handle,
        "person": measured.person,
        "supplemental_types": [name_of(one) for one in measured.supplemental_types],
    }


class ObservationLines:
    """Writes the observations of one encounter. `lanes` must have the lanes of all rows that are written."""

    def __init__(self, walks: EncounterWalks, lanes: Lanes) -> None:
        self._walks = walks
        self._lanes = lanes
        self._channels: dict[int, ShownChannel] = {}
        self._origins: dict[int, str] = {}
        self._device_times: dict[bytes, str] = {}

    def write(self, rows: Iterable[EncounterRow]) -> list[str]:
        """Return one JSON text for each row. It is one loop, since a call for each row would take a third more."""
        self._device_times.clear()
        channels, origins, device_times = self._channels, self._origins, self._device_times
        lines: list[str] = []
        for (
            lane_id,
            sequence,
            position,
            _,
            channel_id,
            observed_us,
            uncertainty_us,
            received_us,
            number,
            value,
            _,
            status,
            device_time,
            stored,
            clock_id,
            monotonic_us,
            *_,
        ) in rows:
            channel = channels.get(channel_id) or self._add_channel(channel_id)
            if clock_id:
                observed_us, uncertainty_us = self._walks.time_of(
                    observed_us, uncertainty_us, device_time, clock_id, monotonic_us
                )
            if value is not None:
                shown, flags = channel.special(value)
            elif number is None:
                shown, flags = "null", channel.flags
            elif channel.low <= number <= channel.high:
                shown, flags = repr(number), channel.flags
            else:
                shown, flags = repr(number), channel.flags_implausible
            if lane_id == API_LANE_ID:
                origin = f'"api","id":"{public_id(sequence)}","provenance":null'
            else:
                origin = f'{origins.get(lane_id) or self._add_origin(lane_id)}{sequence},"index":{position}}}'
            observed = utc_text(observed_us)
            received = observed if received_us == observed_us else utc_text(received_us)
            time = "null" if device_time is None else device_times.get(device_time) or self._add_time(device_time)
            lines.append(
                f'{channel.head}{shown},"observed_at":"{observed}",'
                f'"uncertainty_ms":{"null" if uncertainty_us is None else -(-uncertainty_us // 1000)},'
                f'"received_at":"{received}","device_time":{time},'
                f'"from_memory":{"true" if stored else "false"},'
                f'"wall_synchronised":{"null" if clock_id is None else "false" if clock_id else "true"},'
                f'"status":{_status(status) if status else "[]"},"flags":{flags},"origin":{origin}}}'
            )
        return lines

    def _add_time(self, column: bytes) -> str:
        """Return a device's time as JSON. The values of one report have the same time."""
        time = time_of(column)
        # The text of a time is digits, signs and the name of a clock: nothing to escape.
        text = self._device_times[column] = "null" if time is None else f'"{time.text()}"'
        return text

    def _add_channel(self, channel_id: int) -> "ShownChannel":
        channel = self._channels[channel_id] = ShownChannel.of(self._walks.channels[channel_id])
        return channel

    def _add_origin(self, lane_id: int) -> str:
        gateway, epoch, lane = self._lanes[lane_id]
        text = orjson.dumps({"gateway": gateway, "epoch": epoch, "lane": lane}).decode()
        origin = self._origins[lane_id] = f'"vehicle","id":null,"provenance":{text[:-1]},"sequence":'
        return origin


_UNBOUNDED = Bounds(-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """The text that all observations of a channel share, up to the value, the bounds of plausible values, and the flags
    as JSON."""

    head: str
    low: float
    high: float
    flags: str
    flags_implausible: str
    measured: DeviceChannel
    flag_names: tuple[str, ...]

    @classmethod
    def of(cls, channel: DeviceChannel) -> "ShownChannel":
        bounds = bounds_of_channel(channel) or _UNBOUNDED
        flags = [UNVERIFIED_LINK] if channel.device.unverified_link else []
        if channel.mdc_code is not None:
            flags += flags_of_posted(channel.mdc_code, channel.unit_ucum or "")
        return cls(
            head=f'{orjson.dumps(described(channel)).decode()[:-1]},"value":',
            low=bounds.low,
            high=bounds.high,
            flags=_json(flags),
            flags_implausible=_json([*flags, IMPLAUSIBLE_VALUE]),
            measured=channel,
            flag_names=tuple(flags),
        )

    def special(self, text: str) -> tuple[str, str]:
        """Return the value and the flags of an observation whose value is not one finite number, as JSON. `text` is the
        column `value`."""
        channel, value = self.measured.channel, value_of(None, text)
        if isinstance(value, str):
            return "null", _json([*self.flag_names, TEXT_WITHHELD])
        outside = is_implausible(channel.type, channel.unit, value, channel.components)
        return _json(value_json(value, channel.components)), self.flags_implausible if outside else self.flags


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


@lru_cache(1024)
def _status(status: int) -> str:
    return _json(status_names(status))
