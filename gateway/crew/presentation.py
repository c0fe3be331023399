"""Messages to the crew page: small JSON objects made from the live feed, with the labels and units of a monitor.

Messages have ages instead of times, because a tablet's clock may be hours wrong but counts seconds correctly. The page
decides which source of a tile is shown and whether a value is stale (static/sources.js), because that changes as time
passes. Each value is sent with its own age limits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.crew.languages import Language
from gateway.crew.vitals import VITALS, label_words, limits_s, place, state_words, status_words, unit_words
from gateway.crew.waveforms import (
    STRIPS,
    TWELVE_LEADS,
    has_scale,
    lead_of,
    look_of,
    newest_s,
    preference,
    samples,
    wave_words,
)
from gateway.live import LiveDevice, LiveSnapshot, LiveWaveform
from protocols.ieee11073.nomenclature import Code, code_of, name_of, term_of
from protocols.observation import Channel, Observation, Scalar, Special, status_names

_VALIDATED = 0x0080
"""Measurement-Status validated-data: the device confirms the value. A tile without a status word means the same; a
status word in the colour of a doubt would mean the opposite."""

_IN_ALARM = 0x0002
"""Measurement-Status msmt-state-in-alarm: the device raises an alarm about the value."""
_NO_MEASUREMENT = 0x8000 | 0x2000
"""Measurement-Status invalid and not-available: samples of a lead or a sensor that is off."""

_BATTERY = code_of("MDC_ATTR_VAL_BATT_CHARGE")
_UNVERIFIED = "unverified-link"
"""Flag of a value whose device is identified only by its own claim; the crew must not take it for the vehicle's
monitor."""

_SPECIAL_TEXTS = {
    Special.NAN: "vitals.special.nan",
    Special.NRES: "vitals.special.nres",
    Special.PLUS_INFINITY: "vitals.special.plus_infinity",
    Special.MINUS_INFINITY: "vitals.special.minus_infinity",
}


def channel_id(device: LiveDevice, channel: Channel) -> str:
    """Return the id of a device's channel on this page."""
    return f"{device.ref.system_id}:{channel.handle}"


def device_name(device: LiveDevice, words: Language) -> str:
    """Return the device's model, or another name that a crew can read."""
    unnamed = words.text("vitals.links.unnamed", id=device.ref.system_id[-4:])
    return device.ref.model or device.manufacturer or unnamed


def device_form(device: LiveDevice, now_s: float, words: Language) -> dict[str, Any]:
    """Describe a device and its link. `age_ms`: time since the device's last report, None before the first. `since_ms`:
    time since the device connected or disconnected. `link`: the kind of connection in words; the rest of a link's name
    is a port or an address, which means nothing to a crew."""
    scheme = device.link.partition(":")[0]
    return {
        "id": device.ref.system_id,
        "name": device_name(device, words),
        "link": words.text_or(f"vitals.links.{scheme}", scheme),
        "connected": device.connected,
        "unverified": device.ref.unverified_link,
        "age_ms": None if device.last_s is None else _age_ms(device.last_s, now_s),
        "since_ms": _age_ms(device.since_s, now_s),
    }


def value_form(device: LiveDevice, observation: Observation, now_s: float, words: Language) -> dict[str, Any]:
    """Describe a value for the page.

    `tile`, `place`, `order` and `rank`: the value's position on the page. `more`: a second part of `text`, shown
    smaller. `battery`: the value is the charge of the device's battery. `age_ms`: time since the value was received.
    `ageing_ms` and `stale_ms`: the ages at which the value is ageing and stale. `listed` False: the tables in `vitals`
    have no row for this type of measurement. `alarm`: the device raises an alarm about the value.
    """
    channel = observation.channel
    tile, order, rank, vital = place(channel.type)
    ageing_s, stale_s = limits_s(channel, vital)
    text, more = value_text(observation, words)
    flags = status_names(observation.status & ~_VALIDATED) + ([_UNVERIFIED] if device.ref.unverified_link else [])
    return {
        "id": channel_id(device, channel),
        "tile": tile.name,
        "place": tile.place,
        "order": order,
        "rank": rank,
        "listed": rank < len(VITALS),
        "label": label_words(channel.type, vital, words),
        "colour": vital.colour,
        "battery": channel.type == _BATTERY,
        "name": term_of(channel.type).display,
        "text": text,
        "more": more,
        "unit": unit_words(channel.unit),
        "device": device.ref.system_id,
        "unverified": device.ref.unverified_link,
        "status": status_words(flags, words),
        "alarm": bool(observation.status & _IN_ALARM),
        "age_ms": _age_ms(observation.received_s, now_s),
        "ageing_ms": round(ageing_s * 1000),
        "stale_ms": round(stale_s * 1000),
    }


def wave_form(device: LiveDevice, channel: Channel, words: Language) -> dict[str, Any]:
    """Describe a waveform that the page can request: its strip, colour, scale and sample period."""
    array = channel.array
    assert array is not None
    look = look_of(channel.type)
    return {
        "id": channel_id(device, channel),
        "name": wave_words(channel.type, words),
        "unit": unit_words(channel.unit),
        "device": device.ref.system_id,
        "strip": look.strip,
        "colour": look.colour,
        "scale": look.scale,
        "period_s": array.period_s,
        "slope": array.slope,
        "offset": array.offset,
    }


def trace_form(wave_id: str, arrays: Sequence[Observation], now_s: float) -> dict[str, Any]:
    """Describe new samples of a drawn waveform. `age_ms` is the time since the newest samples were received. `off`: the
    device marks the newest ones as no measurement, as with a lead that is off."""
    return {
        "id": wave_id,
        "samples": samples(arrays),
        "age_ms": _age_ms(newest_s(arrays), now_s),
        "off": bool(arrays and arrays[-1].status & _NO_MEASUREMENT),
    }


def snapshot_form(
    devices: Sequence[LiveSnapshot], wanted: Sequence[str], now_s: float, words: Language, *, twelve: bool = False
) -> dict[str, Any]:
    """Describe everything that a page needs when it opens. `wanted`: ids of the waveforms that the tablet showed last.
    A strip whose wanted waveform is absent gets the preferred waveform. `twelve`: the page also draws the leads of the
    12-lead ECG. `shown` has the id of the waveform of each strip, `leads` that of each lead, `traces` their samples."""
    vital_signs = {shown.device.ref.system_id: _vital_signs(shown) for shown in devices}
    waves = [(shown.device, each) for shown in devices for each in shown.waveforms if has_scale(each.channel)]
    strips = {strip: found for strip in STRIPS for found in _choose(strip, waves, wanted, vital_signs)}
    leads = _twelve_leads(waves) if twelve else {}
    drawn = {channel_id(device, each.channel): each for device, each in (*strips.values(), *leads.values())}
    return {
        "devices": [device_form(shown.device, now_s, words) for shown in devices],
        "values": [
            value_form(shown.device, each.observation, now_s, words) for shown in devices for each in shown.values
        ],
        "waves": [wave_form(device, each.channel, words) for device, each in waves],
        "shown": {strip: channel_id(device, each.channel) for strip, (device, each) in strips.items()},
        "leads": {lead: channel_id(device, each.channel) for lead, (device, each) in leads.items()},
        "traces": [trace_form(wave_id, each.arrays, now_s) for wave_id, each in drawn.items()],
    }


def _vital_signs(shown: LiveSnapshot) -> int:
    """Return the number of primary tiles for which the device has a value."""
    tiles = {place(each.channel.type).tile for each in shown.values}
    return sum(tile.place == "primary" for tile in tiles)


def _choose(
    strip: str,
    waves: Sequence[tuple[LiveDevice, LiveWaveform]],
    wanted: Sequence[str],
    vital_signs: Mapping[str, int],
) -> list[tuple[LiveDevice, LiveWaveform]]:
    """Return the waveform to draw in `strip` with its device; an empty list if no device sends one. Order of
    preference: a wanted waveform, a connected device, the preferred type, the device with the most vital signs."""
    own = [(device, each) for device, each in waves if look_of(each.channel.type).strip == strip]

    def order(pair: tuple[LiveDevice, LiveWaveform]) -> tuple[bool, bool, tuple[int, bool], int]:
        device, each = pair
        signs = vital_signs[device.ref.system_id]
        return (
            channel_id(device, each.channel) not in wanted,
            not device.connected,
            preference(each.channel.type),
            -signs,
        )

    return sorted(own, key=order)[:1]


def _twelve_leads(waves: Sequence[tuple[LiveDevice, LiveWaveform]]) -> dict[str, tuple[LiveDevice, LiveWaveform]]:
    """Return the standard leads of one device by their name: the connected device that sends the most of them, since
    leads of two devices do not belong together."""
    by_device: dict[str, dict[str, tuple[LiveDevice, LiveWaveform]]] = {}
    for device, each in waves:
        if (lead := lead_of(each.channel.type)) in TWELVE_LEADS:
            by_device.setdefault(device.ref.system_id, {})[lead] = (device, each)

    def order(leads: dict[str, tuple[LiveDevice, LiveWaveform]]) -> tuple[bool, int]:
        device, _ = next(iter(leads.values()))
        return device.connected, len(leads)

    return max(by_device.values(), key=order, default={})


def _age_ms(at_s: float, now_s: float) -> int:
    return max(0, round((now_s - at_s) * 1000))


def value_text(observation: Observation, words: Language) -> tuple[str, str]:
    """Return a value as it is shown: its large text, and a second part that is shown smaller, "" for none."""
    channel, value = observation.channel, observation.value
    decimals = place(channel.type).vital.decimals
    if isinstance(value, Code):
        return term_of(value).display, ""
    if isinstance(value, tuple):
        return _compound(channel, value, decimals, words)
    if isinstance(value, float | Special):
        return _scalar(value, decimals, words), ""
    if isinstance(value, int):
        return state_words(channel.type, value, words), ""
    return "" if value is None else str(value), ""


def _compound(channel: Channel, value: tuple[Scalar, ...], decimals: int | None, words: Language) -> tuple[str, str]:
    """Format a compound value as large and small text: blood pressure as 120/80 and (93), any other value as its
    components with their names."""
    named = zip(channel.components, value, strict=False)
    parts = {name_of(kind): _scalar(part, decimals, words) for kind, part in named}
    by_ending = {name.rsplit("_", 1)[-1]: text for name, text in parts.items()}
    if {"SYS", "DIA"} <= by_ending.keys():
        return f"{by_ending['SYS']}/{by_ending['DIA']}", f"({by_ending['MEAN']})" if "MEAN" in by_ending else ""
    return " · ".join(f"{name} {text}" for name, text in parts.items()), ""


def _scalar(value: Scalar, decimals: int | None, words: Language) -> str:
    if isinstance(value, Special):
        return words.text(_SPECIAL_TEXTS[value])
    return words.number(value, decimals)
