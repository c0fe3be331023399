"""Columns of an observation block that every observation has: reception time, status and time of the device."""

from array import array
from collections.abc import Sequence

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError
from protocols.uplink.wire import WireReader, WireWriter

RECEIVED_S_MAX = float(1 << 33)
"""About 270 years of monotonic time. Readers convert it to whole microseconds, which must stay in range."""
_U16_MAX = 0xFFFF
_KINDS = (TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET, TimeKind.RELATIVE, TimeKind.HIGH_RESOLUTION)
_STATUS_CLEAR, _STATUS_TOLD = 0, 1
_TIME_ABSENT, _TIME_UNIFORM, _TIME_MIXED = 0, 1, 2


def write_received(writer: WireWriter, received_s: list[float]) -> None:
    writer.floats(array("d", received_s))
    check_received(min(received_s, default=0.0))
    check_received(max(received_s, default=0.0))


def check_received(received_s: float) -> None:
    if not -RECEIVED_S_MAX <= received_s <= RECEIVED_S_MAX:
        raise LocalProtocolError("a reception time is further from the start of its boot than any machine runs")


def read_received(reader: WireReader, count: int) -> list[float]:
    received_s = reader.floats(count)
    if not _within(received_s):
        raise reader.wrong("a reception time is further from the start of its boot than any machine runs")
    return received_s


def _within(received_s: list[float]) -> bool:
    return not received_s or (min(received_s) >= -RECEIVED_S_MAX and max(received_s) <= RECEIVED_S_MAX)


def write_status(writer: WireWriter, status: list[int]) -> None:
    if any(status):
        check_status(status)
        writer.u8(_STATUS_TOLD)
        writer.column(array("H", status))
    else:
        writer.u8(_STATUS_CLEAR)


def check_status(status: list[int]) -> None:
    if any(status) and (min(status) < 0 or max(status) > _U16_MAX):
        raise LocalProtocolError("a Measurement-Status has more than 16 bits")


def read_status(reader: WireReader, count: int) -> list[int]:
    form = reader.u8()
    if form == _STATUS_CLEAR:
        return [0] * count
    if form == _STATUS_TOLD:
        return reader.column("H", count).tolist()
    raise reader.wrong("no such form of the status column")


def write_times(writer: WireWriter, times: list[DeviceTime | None]) -> None:
    """Write the device times. Kind and length are written once where all times have the same kind and length."""
    # The values of a report share one time, so there are few objects.
    distinct = list({id(time): time for time in times}.values())
    forms = {(time.kind.value, len(time.octets)) if time is not None else None for time in distinct}
    if forms <= {None}:
        writer.u8(_TIME_ABSENT)
        return
    for time in distinct:
        check_time(time)
    present = [time for time in times if time is not None]
    data = [time.octets for time in present]
    if len(forms) == 1 and data[0]:
        writer.u8(_TIME_UNIFORM)
        writer.u8(_KINDS.index(present[0].kind))
        writer.u8(len(data[0]))
        writer.planes(b"".join(data), len(data[0]))
        return
    writer.u8(_TIME_MIXED)
    writer.raw(bytes([0 if time is None else _KINDS.index(time.kind) + 1 for time in times]))
    writer.raw(bytes(map(len, data)))
    writer.raw(b"".join(data))


def check_time(time: DeviceTime | None) -> None:
    if time is not None and len(time.octets) > 0xFF:
        raise LocalProtocolError("a device time has more than 255 bytes")


def read_times(reader: WireReader, count: int) -> Sequence[DeviceTime | None]:
    form = reader.u8()
    if form == _TIME_ABSENT:
        return [None] * count
    if form == _TIME_UNIFORM:
        kind = _time_kind(reader, reader.u8())
        length = reader.u8()
        if not length:
            raise reader.wrong("a column of device times without bytes")
        data = reader.planes(count, length)
        each = [data[at : at + length] for at in range(0, len(data), length)]
        # All values of a report have one time, which becomes one object.
        times = {octets: DeviceTime(kind, octets) for octets in set(each)}
        return list(map(times.__getitem__, each))
    if form == _TIME_MIXED:
        kinds = reader.take(count)
        lengths = iter(reader.take(count - kinds.count(0)))
        return [
            DeviceTime(_time_kind(reader, kind - 1), reader.take(next(lengths))) if kind else None for kind in kinds
        ]
    raise reader.wrong("no such form of the device time column")


def _time_kind(reader: WireReader, number: int) -> TimeKind:
    if number >= len(_KINDS):
        raise reader.wrong("no such kind of device time")
    return _KINDS[number]
