"""Observation blocks that no gateway builds: small on the wire, and beyond the limits of a block when decoded."""

import zlib
from array import array

from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel
from protocols.uplink.channels import DeviceRef, Facts, channel_bytes, write_facts
from protocols.uplink.wire import WireWriter

SPO2 = Channel(handle=1, type=Code(2, 19384), unit=Code(4, 544))


def sealed(body: bytes, *, announced_bytes: int | None = None) -> bytes:
    """Seal any body as `encode_block` seals a block; `announced_bytes` is a false length."""
    length = len(body) if announced_bytes is None else announced_bytes
    return b"\x01" + length.to_bytes(4, "little") + zlib.compress(body, 9)


def block_of_devices(count: int, *, first: int = 0, wall_offset_us: int = 0) -> bytes:
    """Build one observation of each of many new devices."""
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
    """Build equal observations of one device: some hundred bytes on the wire."""
    writer = _of_one_device(count, wall_offset_us)
    _write_rest(writer, [SPO2], count)
    return sealed(writer.take())


def block_of_channels(count: int, *, components: int = 0) -> bytes:
    """Build one observation of each of many channels, each with many components."""
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
    """Write everything behind the runs: channels, numbers, receptions, status, times, values."""
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
