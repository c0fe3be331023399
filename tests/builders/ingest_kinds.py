"""Observations of every kind that the uplink carries: each type of value, device time and sample format at least
once.
"""

import struct
from dataclasses import replace
from datetime import UTC, datetime

from protocols.device_time import DeviceTime, TimeKind, absolute_time
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation, SampleArray, SampleFormat, Special, Value
from protocols.uplink.observations import DeviceObservations, DeviceRef
from tests.builders.ingest_gateway import OXIMETER, PLETH, SPO2, section

CUFF = DeviceRef("8877665544332211", "Synthetic Cuff")
PRESSURE = Channel(
    handle=2,
    type=Code(2, 18948),
    unit=Code(4, 3872),
    person=3,
    components=(Code(2, 18949), Code(2, 18950)),
    supplemental_types=(Code(2, 61731),),
)
RHYTHM = Channel(handle=3, type=Code(2, 16770))
BEDSIDE_TIME = absolute_time(datetime(2027, 1, 15, 8, 0, 0, 120_000, tzinfo=UTC))


def one(
    channel: Channel,
    value: Value | None = None,
    *,
    samples: bytes | None = None,
    status: int = 0,
    device_time: DeviceTime | None = None,
    received_s: float = 5.25,
) -> Observation:
    """Return one observation of the channel."""
    return Observation(
        channel=channel, value=value, samples=samples, status=status, device_time=device_time, received_s=received_s
    )


def array_channel(sample_format: SampleFormat, handle: int) -> Channel:
    array = SampleArray(format=sample_format, period_s=0.004, slope=0.00122, offset=-2.5)
    return Channel(handle=handle, type=Code(2, 258), unit=Code(4, 4274), array=array)


def every_kind() -> list[DeviceObservations]:
    """Return observations of two devices with every type of value, device time and sample format, with and without a
    correction of the device's clock."""
    values = [
        one(SPO2, 97.0),
        *(one(SPO2, special) for special in Special),
        one(RHYTHM, Code(2, 61731)),
        one(RHYTHM, 0x8001, status=0x4002),
        one(RHYTHM, "sinus rhythm ‹synthetic›"),
        one(PLETH, samples=struct.pack(">4h", -3, 0, 32767, -32768)),
        *(
            one(array_channel(sample_format, handle), samples=bytes(range(1, 9)))
            for handle, sample_format in enumerate(SampleFormat, 20)
        ),
    ]
    timed = [
        one(PRESSURE, (120.0, Special.NRES), device_time=BEDSIDE_TIME),
        one(PRESSURE, (118.0, 79.0), device_time=DeviceTime(TimeKind.ABSOLUTE, b"\x20\x27\x13\x45\x00\x00\x00\x0a")),
        one(PRESSURE, (117.0, 78.0), device_time=DeviceTime(TimeKind.RELATIVE, b"\x00\x01\x00\x00")),
        one(PRESSURE, (116.0, 77.0), device_time=DeviceTime(TimeKind.HIGH_RESOLUTION, b"\x00" * 7 + b"\x09")),
        one(PRESSURE, (115.0, 76.0), device_time=DeviceTime(TimeKind.BASE_OFFSET, b"\xee\x00\x00\x00\x80\x00\x00\x3c")),
    ]
    return [
        section(values),
        section(timed, device=CUFF, device_offset_us=-3_600_000_000),
        section(timed[:2], device=CUFF),
        section([one(SPO2, 96.0, received_s=0.000001)], device=OXIMETER),
        section([one(SPO2, 95.0)], device=replace(OXIMETER, unverified_link=True)),
    ]


def waveforms() -> list[DeviceObservations]:
    """Return only arrays of samples, in every sample format: two of each channel, and samples that end within one."""
    arrays = [
        one(array_channel(sample_format, handle), samples=bytes(range(at, at + 9)), received_s=received_s)
        for at, received_s in ((1, 5.25), (120, 5.5))
        for handle, sample_format in enumerate(SampleFormat, 20)
    ]
    return [section(arrays), section([one(PLETH, samples=struct.pack(">4h", -3, 0, 32767, -32768))], device=CUFF)]
