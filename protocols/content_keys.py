"""Keys of measurements that devices had in their memories, by which a repeated measurement is recognised.

A device that does not know whether its memory was received sends it again, and the gateway sends it in another batch.
The key is the same then. It does not depend on the batch or on the gateway's clock.

The keys of a block are made together. What the measurements of one channel have in common is encoded once, which takes
most of the time of a key. The cloud makes these keys while it receives batches.
"""

import hashlib
import struct
from collections.abc import Sequence
from contextlib import suppress

from protocols.device_time import DeviceTime
from protocols.ieee11073.nomenclature import Code
from protocols.observation import Channel, Scalar, Special, Value
from protocols.observation_record import UNVERIFIED_LINK
from protocols.uplink.observations import BlockColumns, DeviceRef
from protocols.uplink.wire import WireWriter

_DOMAIN = b"argus/v1/content-key\x00"
_PLAIN_CHANNEL = struct.Struct("<qqBqBBq")
"""Handle, person, one type, no supplemental type, one unit."""
_FLOAT = struct.Struct("<cd")
_DOUBLE = struct.Struct("<d")
_TEXT_BYTES_MAX = 1 << 20
_SAMPLES_BYTES_MAX = 1 << 30


def content_keys(block: BlockColumns) -> dict[int, bytes]:
    """Return the 32-byte keys of the stored measurements in a block, by their positions.

    A key covers device, handle, type, supplemental types, person, unit, device time as sent, duration and value. A
    measurement without a device time has no key. A live observation has none either, since three readings of 97 are
    three observations; its batch and position identify it. Raises `LocalProtocolError` for a text that has no encoding.
    """
    keys: dict[int, bytes] = {}
    times: dict[int, bytes] = {}  # by the identity of the time, which the values of a report share
    channels: dict[DeviceRef, dict[int, bytes]] = {}
    end = 0
    for facts, count in block.runs:
        begin, end = end, end + count
        if not facts.stored:
            continue
        device = facts.device
        before, after = _encoded_device(device), _unverified() if device.unverified_link else b""
        measured = channels.setdefault(device, {})
        for position in range(begin, end):
            if (time := block.device_times[position]) is None:
                continue
            if (sent_at := times.get(id(time))) is None:
                sent_at = times[id(time)] = _encoded_time(time)
            number = block.channel_numbers[position]
            if (what := measured.get(number)) is None:
                what = measured[number] = before + _encoded_channel(block.channel_table[number])
            value = block.values[position]
            if type(value) is float:
                content = _FLOAT.pack(b"F", value)
            else:
                content = _encoded_value(value, block.samples[position], block.channel_table[number])
            keys[position] = hashlib.sha256(what + sent_at + content + after).digest()
    return keys


def _encoded_device(device: DeviceRef) -> bytes:
    writer = WireWriter()
    writer.raw(_DOMAIN)
    writer.text(device.system_id, limit_bytes=_TEXT_BYTES_MAX)
    return writer.take()


def _encoded_channel(channel: Channel) -> bytes:
    person = -1 if channel.person is None else channel.person
    if channel.unit is not None and not channel.supplemental_types:
        # One call for what nearly all channels have: with the writer it takes ten times as long.
        with suppress(struct.error):
            return _PLAIN_CHANNEL.pack(
                channel.handle, person, 1, channel.type.context_free, 0, 1, channel.unit.context_free
            )
    writer = WireWriter()
    for number in (channel.handle, person):
        writer.i64(number)
    _write_codes(writer, (channel.type,))
    _write_codes(writer, channel.supplemental_types)
    _write_codes(writer, () if channel.unit is None else (channel.unit,))
    return writer.take()


def _encoded_time(time: DeviceTime) -> bytes:
    writer = WireWriter()
    writer.text(time.kind.value, limit_bytes=_TEXT_BYTES_MAX)
    writer.blob(time.octets, limit_bytes=_TEXT_BYTES_MAX)
    return writer.take()


def _unverified() -> bytes:
    """Return what ends the keys of a device that is identified by its own claim only. It may repeat its own
    measurements, but never replaces one of the device that it claims to be."""
    writer = WireWriter()
    writer.text(UNVERIFIED_LINK, limit_bytes=_TEXT_BYTES_MAX)
    return writer.take()


def _write_codes(writer: WireWriter, codes: Sequence[Code]) -> None:
    writer.varint(len(codes))
    for code in codes:
        writer.i64(code.context_free)


def _encoded_value(value: Value | None, samples: bytes | None, channel: Channel) -> bytes:
    """Encode the kind of the value, and the value. Samples are preceded by their period."""
    writer = WireWriter()
    if value is None:
        writer.raw(b"S" if channel.array is None else b"S" + _DOUBLE.pack(channel.array.period_s))
        writer.blob(samples or b"", limit_bytes=_SAMPLES_BYTES_MAX)
    elif isinstance(value, Code):
        writer.raw(b"C")
        _write_codes(writer, (value,))
    elif isinstance(value, tuple):
        writer.raw(b"T")
        writer.varint(len(value))
        for scalar in value:
            _write_scalar(writer, scalar)
    elif isinstance(value, str):
        writer.raw(b"X")
        writer.text(value, limit_bytes=_TEXT_BYTES_MAX)
    else:
        _write_scalar(writer, value)
    return writer.take()


def _write_scalar(writer: WireWriter, scalar: Scalar | int) -> None:
    if isinstance(scalar, Special):
        writer.raw(b"N")
        writer.text(scalar.value, limit_bytes=8)
    elif isinstance(scalar, float):
        writer.raw(_FLOAT.pack(b"F", scalar))
    else:
        writer.raw(b"B")
        writer.i64(scalar)
