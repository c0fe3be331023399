"""Binary encoding of channels, and of the facts about a device and its clocks, in observation blocks.

A channel describes a quantity that a device measures. A block contains each channel and each set of facts once, and its
observations refer to them by number. A channel lasts as long as a device's configuration and appears in many blocks, so
its encoded bytes are cached.
"""

import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from protocols.errors import LocalProtocolError
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, SampleArray, SampleFormat
from protocols.uplink.wire import WireReader, WireWriter

COMPONENTS_MAX = 255
SYSTEM_ID_BYTES_MAX = 128
MODEL_BYTES_MAX = 512
BOOT_ID_BYTES_MAX = 64
CHANNELS_CACHED = 4_096
"""Channels whose encoding is cached in each direction: those of some hundred monitors."""
TEXTS_CACHED = 4_096
"""Texts of facts whose encoding is cached: a gateway has one for each boot, and two for each device."""
NAMES_CACHED = 8_192
"""Decoded names of a device and a boot that are kept: those of some thousand vehicles, in 12 MB at most."""
CACHED_CHANNEL_BYTES_MAX = 128
"""Longest encoding that a decoder caches, so that a peer's channels take some 15 MB at most. The longest channel of a
known device has 60 bytes."""
_U16_MAX = 0xFFFF
_U64_MAX = (1 << 64) - 1
_HAS_UNIT, _HAS_PERSON, _HAS_ARRAY = 1, 2, 4
_SYNCHRONISED, _STORED, _HAS_DEVICE_OFFSET, _UNVERIFIED_LINK = 1, 2, 4, 8
_ARRAY = struct.Struct("<ddd")
_I64 = {count: struct.Struct(f"<{count}q") for count in (2, 3)}


@dataclass(frozen=True, slots=True)
class DeviceRef:
    """Device that made a measurement. `system_id` is its EUI-64 in lower-case hex, or another identifier (a BLE
    address). `model` may be empty. `unverified_link`: only the device's own claim identifies it (an agent over TCP that
    no operator has accepted)."""

    system_id: str
    model: str
    unverified_link: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts common to consecutive observations: the device, and the relation of its clock and the gateway's clock to
    UTC.

    Wall time in µs = `wall_offset_us` + `received_s` × 10⁶. The device's time in UTC is `DeviceTime.local_us()` +
    `device_offset_us`; `device_offset_us` is None where the offset is unknown. `uncertainty_us` is the largest error of
    the corrected time. `stored`: the device measured the values earlier and sent them from its memory.
    """

    device: DeviceRef
    boot_id: str
    wall_offset_us: int
    wall_synchronised: bool
    device_offset_us: int | None
    uncertainty_us: int
    stored: bool


class FactFields(Protocol):
    """The fields of `Facts`, which a section of a block has too."""

    @property
    def device(self) -> DeviceRef: ...
    @property
    def boot_id(self) -> str: ...
    @property
    def wall_offset_us(self) -> int: ...
    @property
    def wall_synchronised(self) -> bool: ...
    @property
    def device_offset_us(self) -> int | None: ...
    @property
    def uncertainty_us(self) -> int: ...
    @property
    def stored(self) -> bool: ...


@lru_cache(maxsize=CHANNELS_CACHED)
def channel_bytes(channel: Channel) -> bytes:
    """Encode `channel`. Raises `LocalProtocolError` for a channel that this encoding cannot hold."""
    writer = WireWriter()
    has_unit = _HAS_UNIT if channel.unit is not None else 0
    has_person = _HAS_PERSON if channel.person is not None else 0
    writer.u8(has_unit | has_person | (_HAS_ARRAY if channel.array is not None else 0))
    writer.varint(channel.handle)
    write_code(writer, channel.type)
    if channel.unit is not None:
        write_code(writer, channel.unit)
    if channel.person is not None:
        writer.varint(channel.person)
    writer.u8(len(channel.components))
    for component in channel.components:
        write_code(writer, component)
    writer.u8(len(channel.supplemental_types))
    for supplemental in channel.supplemental_types:
        write_code(writer, supplemental)
    if channel.array is not None:
        scale = (channel.array.period_s, channel.array.slope, channel.array.offset)
        if not all(map(math.isfinite, scale)):
            raise LocalProtocolError("a scale is not finite")
        writer.u8(ord(channel.array.format.value))
        writer.raw(_ARRAY.pack(*scale))
    return writer.take()


def code_count(channel: Channel) -> int:
    """Return the total number of component types and supplemental types of a channel."""
    return len(channel.components) + len(channel.supplemental_types)


def read_channel(reader: WireReader) -> Channel:
    """Read one channel. Raises `RemoteProtocolError` for invalid bytes."""
    flags = reader.u8()
    if flags & ~(_HAS_UNIT | _HAS_PERSON | _HAS_ARRAY):
        raise reader.wrong("a channel has flags without a meaning")
    return Channel(
        handle=reader.varint(_U64_MAX),
        type=read_code(reader),
        unit=read_code(reader) if flags & _HAS_UNIT else None,
        person=reader.varint(_U64_MAX) if flags & _HAS_PERSON else None,
        components=tuple([read_code(reader) for _ in range(reader.u8())]),
        supplemental_types=tuple([read_code(reader) for _ in range(reader.u8())]),
        array=_read_array(reader) if flags & _HAS_ARRAY else None,
    )


def channel_of_bytes(data: bytes) -> Channel:
    """Decode one channel, which `channel_bytes` encoded. Raises `RemoteProtocolError` for invalid bytes."""
    return _cached_channel(data) if len(data) <= CACHED_CHANNEL_BYTES_MAX else _whole_channel(data)


def _whole_channel(data: bytes) -> Channel:
    reader = WireReader(data, clause="uplink channel")
    channel = read_channel(reader)
    reader.end()
    return channel


_cached_channel = lru_cache(maxsize=CHANNELS_CACHED)(_whole_channel)


def _read_array(reader: WireReader) -> SampleArray:
    letter = reader.u8()
    try:
        sample_format = SampleFormat(chr(letter))
    except ValueError:
        raise reader.wrong("no such sample format") from None
    scale: tuple[float, float, float] = _ARRAY.unpack(reader.take(_ARRAY.size))
    if not all(map(math.isfinite, scale)):
        raise reader.wrong("a scale is not finite")
    period_s, slope, offset = scale
    return SampleArray(format=sample_format, period_s=period_s, slope=slope, offset=offset)


def write_facts(writer: WireWriter, facts: FactFields) -> None:
    """Write `facts` (the device, and its clock's relation to UTC). Raises `LocalProtocolError` for a text above its
    limit, and for a number that does not fit."""
    device, device_offset_us = facts.device, facts.device_offset_us
    has_offset = _HAS_DEVICE_OFFSET if device_offset_us is not None else 0
    synchronised = _SYNCHRONISED if facts.wall_synchronised else 0
    unverified = _UNVERIFIED_LINK if device.unverified_link else 0
    writer.u8(has_offset | synchronised | unverified | (_STORED if facts.stored else 0))
    writer.raw(_text_bytes(device.system_id, SYSTEM_ID_BYTES_MAX))
    writer.raw(_text_bytes(device.model, MODEL_BYTES_MAX))
    writer.raw(_text_bytes(facts.boot_id, BOOT_ID_BYTES_MAX))
    numbers = [facts.wall_offset_us, facts.uncertainty_us]
    if device_offset_us is not None:
        numbers.append(device_offset_us)
    try:
        writer.raw(_I64[len(numbers)].pack(*numbers))
    except struct.error:
        raise LocalProtocolError("a time in the facts of a device does not fit a signed 64-bit number") from None


@lru_cache(maxsize=TEXTS_CACHED)
def _text_bytes(text: str, limit_bytes: int) -> bytes:
    writer = WireWriter()
    writer.text(text, limit_bytes=limit_bytes)
    return writer.take()


def read_facts(reader: WireReader) -> Facts:
    """Read one `Facts` (the device, and its clock's relation to UTC). Raises `RemoteProtocolError`
    for invalid bytes."""
    flags = reader.u8()
    if flags & ~(_SYNCHRONISED | _STORED | _HAS_DEVICE_OFFSET | _UNVERIFIED_LINK):
        raise reader.wrong("a run has flags without a meaning")
    names = reader.blob(SYSTEM_ID_BYTES_MAX), reader.blob(MODEL_BYTES_MAX), reader.blob(BOOT_ID_BYTES_MAX)
    try:
        device, boot_id = _names_of(*names, bool(flags & _UNVERIFIED_LINK))
    except UnicodeDecodeError:
        raise reader.wrong("a text is not UTF-8") from None
    has_offset = bool(flags & _HAS_DEVICE_OFFSET)
    form = _I64[3 if has_offset else 2]
    numbers = form.unpack(reader.take(form.size))
    return Facts(
        device=device,
        boot_id=boot_id,
        wall_offset_us=numbers[0],
        wall_synchronised=bool(flags & _SYNCHRONISED),
        device_offset_us=numbers[2] if has_offset else None,
        uncertainty_us=numbers[1],
        stored=bool(flags & _STORED),
    )


@lru_cache(maxsize=NAMES_CACHED)
def _names_of(system_id: bytes, model: bytes, boot_id: bytes, unverified_link: bool) -> tuple[DeviceRef, str]:
    """Return the device and the boot with these names. Raises `UnicodeDecodeError`."""
    return DeviceRef(system_id.decode(), model.decode(), unverified_link), boot_id.decode()


def write_code(writer: WireWriter, code: Code) -> None:
    writer.varint(code.partition)
    writer.varint(code.code)


def read_code(reader: WireReader) -> Code:
    return Code(reader.varint(_U16_MAX), reader.varint(_U16_MAX))
