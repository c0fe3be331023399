"""Observation blocks that no gateway builds: small when compressed, and beyond a block's limits when decoded."""

import zlib
from array import array

import zstandard

from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel
from protocols.uplink.channels import DeviceRef, Facts, channel_bytes, write_facts
from protocols.uplink.wire import WireWriter

SPO2 = Channel(handle=1, type=Code(2, 19384), unit=Code(4, 544))


def sealed(body: bytes, *, announced_bytes: int | None = None, version: int = 1) -> bytes:
    """Compress a body and add the header as `encode_block` does; `announced_bytes` is a false decompressed length."""
    length = len(body) if announced_bytes is None else announced_bytes
    compressed = zlib.compress(body, 9) if version == 1 else zstandard.compress(body, 9)
    return bytes((version,)) + length.to_bytes(4, "little") + compressed


def body_of(block: bytes) -> bytes:
    """Return the decompressed body of a valid block."""
    return zlib.decompress(block[5:]) if block[0] == 1 else zstandard.decompress(block[5:])


def block_of_devices(count: int, *, first: int = 0, wall_offset_us: int = 0) -> bytes:
    """Build a block with one observation from each of `count` new devices; their ids are numbers from `first` on."""
    writer = WireWriter()
    writer.varint(count)
    for number in range(first, first + count):
        write_facts(writer, _facts(f"{number:016x}", wall_offset_us))
    writer.varint(count)
    writer.column(array("I", range(count)))
    writer.column(array("I", [1] * count))
    _write_rest(writer, [SPO2], count)
    return sealed(writer.take())


def block_of_zeros(count: int, *, wall_offset_us: int = 0) -> bytes:
    """Build a block with `count` equal observations of one device; it has some hundred bytes when compressed."""
    writer = _of_one_device(count, wall_offset_us)
    _write_rest(writer, [SPO2], count)
    return sealed(writer.take())


def block_of_channels(count: int, *, components: int = 0) -> bytes:
    """Build a block of one device with one observation from each of `count` channels, which have `components`
    components each."""
    writer = _of_one_device(count)
    channels = [
        Channel(handle=handle, type=SPO2.type, components=(Code(0, 0),) * components) for handle in range(1, count + 1)
    ]
    _write_rest(writer, channels, count)
    return sealed(writer.take())


def _of_one_device(count: int, wall_offset_us: int = 0) -> WireWriter:
    writer = WireWriter()
    writer.varint(1)
    write_facts(writer, _facts("1122334455667788", wall_offset_us))
    writer.varint(1)
    writer.column(array("I", [0]))
    writer.column(array("I", [count]))
    return writer


def _facts(system_id: str, wall_offset_us: int) -> Facts:
    return Facts(
        device=DeviceRef(system_id, "Invented device"),
        boot_id="boot-1",
        wall_offset_us=wall_offset_us,
        wall_synchronised=True,
        device_offset_us=None,
        uncertainty_us=0,
        stored=False,
    )


def _write_rest(writer: WireWriter, channels: list[Channel], count: int) -> None:
    """Write the part of a block that follows the devices and their runs of observations: the channels, then for each
    observation the index of the channel, the reception time, the status, the device time and the value."""
    writer.varint(len(channels))
    for channel in channels:
        writer.raw(channel_bytes(channel))
    kind = "B" if len(channels) <= 256 else "H" if len(channels) <= 65_536 else "I"
    writer.column(array(kind, [number % len(channels) for number in range(count)]))
    writer.floats(array("d", bytes(8 * count)))
    writer.u8(0)
    writer.u8(0)
    writer.u8(0)
    writer.floats(array("d", bytes(8 * count)))
