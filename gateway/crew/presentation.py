"""What the page is sent: small JSON objects made from the live feed, in the words and units that a crew reads.

Ages are sent, not times: a tablet's clock may be hours wrong, its seconds are right. Special values keep their
meaning as words. Does not decide what is fresh (`vitals`, and the page as time goes by).
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.crew.vitals import state_as_read, unit_as_read, vital_of
from gateway.live import LiveDevice, LiveSnapshot
from protocols.ieee11073.nomenclature import Code, name_of, term_of
from protocols.observation import Channel, Observation, Scalar, Special, status_names

_VALIDATED = 0x0080
"""Measurement-Status validated-data: the device vouches for the value. A tile that says nothing says the same; a word
in the colour of a doubt would say the opposite."""

_UNVERIFIED = "unverified-link"
"""Nothing but the device's own word says which device this is; the crew must not take it for the vehicle's monitor."""

_SPECIAL_AS_READ = {
    Special.NAN: "—",
    Special.NRES: "off scale",
    Special.PLUS_INFINITY: "above range",
    Special.MINUS_INFINITY: "below range",
}


def channel_id(device: LiveDevice, channel: Channel) -> str:
    return f"{device.ref.system_id}:{channel.handle}"


def device_form(device: LiveDevice, now_s: float) -> dict[str, Any]:
    """One device and its link; `age_ms` None: it has not measured yet."""
    return {
        "id": device.ref.system_id,
        "name": device.ref.model or device.manufacturer or device.ref.system_id,
        "link": device.link,
        "connected": device.connected,
        "unverified": device.ref.unverified_link,
        "age_ms": None if device.last_s is None else max(0, round((now_s - device.last_s) * 1000)),
    }


def value_form(device: LiveDevice, observation: Observation, now_s: float) -> dict[str, Any]:
    """One value: `text` as a crew reads it, `age_ms` since we received it, `fresh_ms` how long it counts as fresh."""
    channel = observation.channel
    rank, vital = vital_of(channel.type)
    return {
        "id": channel_id(device, channel),
        "rank": rank,
        "label": vital.label,
        "name": term_of(channel.type).display,
        "text": _text(channel, observation, vital.decimals),
        "unit": unit_as_read(channel.unit),
        "device": device.ref.system_id,
        "status": status_names(observation.status & ~_VALIDATED)
        + ([_UNVERIFIED] if device.ref.unverified_link else []),
        "age_ms": max(0, round((now_s - observation.received_s) * 1000)),
        "fresh_ms": round(vital.fresh_s * 1000),
    }


def wave_form(device: LiveDevice, channel: Channel) -> dict[str, Any]:
    """A waveform that the page may ask for."""
    array = channel.array
    assert array is not None
    return {
        "id": channel_id(device, channel),
        "name": term_of(channel.type).display,
        "unit": unit_as_read(channel.unit),
        "device": device.ref.system_id,
        "period_s": array.period_s,
        "slope": array.slope,
        "offset": array.offset,
    }


def samples(observations: Iterable[Observation]) -> list[int]:
    """The raw samples of one channel's arrays, in order."""
    raw: list[int] = []
    for observation in observations:
        array, octets = observation.channel.array, observation.samples
        if array is not None and octets is not None:
            raw.extend(struct.unpack(f">{len(octets) // array.format.octets}{array.format.value}", octets))
    return raw


def snapshot_form(devices: Sequence[LiveSnapshot], wave: str, now_s: float) -> dict[str, Any]:
    """Everything that a page needs when it opens; `wave` names the waveform it wants, any when it is not there."""
    waves = [(shown.device, each) for shown in devices for each in shown.waveforms if each.channel.array]
    chosen = next((pair for pair in waves if channel_id(pair[0], pair[1].channel) == wave), waves[0] if waves else None)
    return {
        "devices": [device_form(shown.device, now_s) for shown in devices],
        "values": [value_form(shown.device, each.observation, now_s) for shown in devices for each in shown.values],
        "waves": [wave_form(device, each.channel) for device, each in waves],
        "wave": None
        if chosen is None
        else {"id": channel_id(chosen[0], chosen[1].channel), "samples": samples(chosen[1].arrays)},
    }


def _text(channel: Channel, observation: Observation, decimals: int | None) -> str:
    value = observation.value
    if isinstance(value, Code):
        return term_of(value).display
    if isinstance(value, tuple):
        return _compound(channel, value, decimals)
    if isinstance(value, float | Special):
        return _scalar(value, decimals)
    if isinstance(value, int):
        return state_as_read(channel.type, value)
    return "" if value is None else str(value)


def _compound(channel: Channel, value: tuple[Scalar, ...], decimals: int | None) -> str:
    """Blood pressure as everyone writes it, 120/80 (93); any other compound by its components' names."""
    parts = {name_of(kind): _scalar(part, decimals) for kind, part in zip(channel.components, value, strict=False)}
    by_ending = {name.rsplit("_", 1)[-1]: text for name, text in parts.items()}
    if {"SYS", "DIA"} <= by_ending.keys():
        mean = f" ({by_ending['MEAN']})" if "MEAN" in by_ending else ""
        return f"{by_ending['SYS']}/{by_ending['DIA']}{mean}"
    return " · ".join(f"{name} {text}" for name, text in parts.items())


def _scalar(value: Scalar, decimals: int | None) -> str:
    if isinstance(value, Special):
        return _SPECIAL_AS_READ[value]
    return f"{value:g}" if decimals is None else f"{value:.{decimals}f}"
