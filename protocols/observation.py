"""One observation: a measurement of a device, as the value that every part of Argus uses.

An observation has a constant and a variable part. The constant part, `Channel`, is built once from a device's
configuration (or from a GATT service) and shared by every observation of that channel. So a value of a vital sign costs
one small object, and a sample of a waveform costs none. The data of the device is never rewritten: its time as sent is
kept beside the gateway's time, samples stay raw integers, and the four special FLOAT values stay distinct.

An observation has no wall time: `received_s` is the monotonic clock of the process that ran the link.
`observation_record` adds the gateway, its store's epoch, the corrected time and the encounter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from protocols.device_time import DeviceTime
from protocols.ieee11073.nomenclature.code import Code
from protocols.stream_value import stream_value


class Special(Enum):
    """Special value of a FLOAT or SFLOAT: a value that is not a number (20601 Annex F; reference 20601 §1.1)."""

    NAN = "NaN"
    NRES = "NRes"
    PLUS_INFINITY = "+INF"
    MINUS_INFINITY = "-INF"


Scalar = float | Special
"""A finite number in the channel's unit, or the reason why there is none."""

Value = Scalar | int | str | Code | tuple[Scalar, ...]
"""Numeric: a scalar. Compound: a tuple in the order of `Channel.components`. Enumeration: a `Code`, a text, or an int
holding the bits as sent (ASN.1 bit 0 is the most significant)."""


class SampleFormat(Enum):
    """Wire format of one sample, big-endian as 20601 sends it. The enum value is the format character for `struct`."""

    width_bytes: int

    I8 = "b"
    U8 = "B"
    I16 = "h"
    U16 = "H"
    I32 = "i"
    U32 = "I"

    def __init__(self, letter: str) -> None:
        self.width_bytes = {"b": 1, "h": 2, "i": 4}[letter.lower()]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleArray:
    """Conversion of samples, `period_s` seconds apart, to physical values: physical = slope × raw + offset."""

    format: SampleFormat
    period_s: float
    slope: float
    offset: float


PERSON_UNKNOWN = 0xFFFF
"""20601 PersonId of a person unknown to the device (reference 20601 §2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Quantity that one metric object of a device measures, shared by all its observations under one configuration.

    `handle` is the object's handle (20601: 1…65535) or a number that the GATT mapping assigns. `unit` is None where a
    value has no unit (enumerations) or the device named none. `components` are the types of a compound value, in order.
    `person` is the device's own number of the measured person: None where the device names no person, `PERSON_UNKNOWN`
    where it distinguishes persons but did not identify this one.
    """

    handle: int
    type: Code
    unit: Code | None = None
    person: int | None = None
    components: tuple[Code, ...] = ()
    supplemental_types: tuple[Code, ...] = ()
    array: SampleArray | None = None


@stream_value
class Observation:
    """One value of one channel, or one array of its samples. Only the type checker keeps it frozen (`stream_value`).

    Exactly one of `value` and `samples` is set. `samples` are the bytes as sent, big-endian, each sample in
    `channel.array.format`. `status` holds the Measurement-Status bits as sent (BITS-16, 0: no bit set). `device_time`
    is the device's time as sent, None where it sent none. `received_s` is the time of reception on the monotonic clock.
    """

    channel: Channel
    value: Value | None
    samples: bytes | None
    status: int
    device_time: DeviceTime | None
    received_s: float


MEASUREMENT_STATUS: Mapping[int, str] = {
    0x8000: "invalid",
    0x4000: "questionable",
    0x2000: "not-available",
    0x1000: "calibration-ongoing",
    0x0800: "test-data",
    0x0400: "demo-data",
    0x0080: "validated-data",
    0x0040: "early-indication",
    0x0020: "msmt-ongoing",
    0x0002: "msmt-state-in-alarm",
    0x0001: "msmt-state-al-inhibited",
}
"""Measurement-Status, BITS-16: the bit as sent → the standard's name (reference 20601 §8.2)."""


def status_names(status: int) -> list[str]:
    """Return the names of the set bits, top bit first. A bit without a name is `"bit-N"`; bit 0 is the top bit."""
    return [
        MEASUREMENT_STATUS.get(bit, f"bit-{16 - bit.bit_length()}")
        for bit in (1 << shift for shift in range(15, -1, -1))
        if status & bit
    ]
