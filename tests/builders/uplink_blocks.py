"""Observation blocks for tests: small ones written by hand, and Hypothesis strategies for any valid block."""

import struct
from collections.abc import Sequence

from hypothesis import strategies as st

from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation, SampleArray, SampleFormat, Special
from protocols.uplink.observations import RECEIVED_S_MAX, DeviceObservations, DeviceRef

SPO2 = Channel(handle=1, type=Code(2, 19384), unit=Code(4, 544))
PULSE = Channel(handle=10, type=Code(2, 18458), unit=Code(4, 2720))
BLOOD_PRESSURE = Channel(
    handle=1,
    type=Code(2, 18948),
    unit=Code(4, 3872),
    components=(Code(2, 18949), Code(2, 18950), Code(2, 18951)),
)
PLETH = Channel(
    handle=20,
    type=Code(2, 19380),
    unit=Code(4, 512),
    array=SampleArray(format=SampleFormat.I16, period_s=0.008, slope=0.5, offset=-1.0),
)
ECG_SCANNED = Channel(
    handle=1,
    type=Code(2, 257),
    unit=Code(4, 4274),
    array=SampleArray(format=SampleFormat.U16, period_s=0.004, slope=0.001, offset=-2.0),
)
BYTES = Channel(
    handle=21, type=Code(2, 19380), array=SampleArray(format=SampleFormat.U8, period_s=0.01, slope=1.0, offset=0.0)
)
WIDE = Channel(
    handle=22, type=Code(2, 18474), array=SampleArray(format=SampleFormat.I32, period_s=0.5, slope=1e-6, offset=0.0)
)
ALARM = Channel(handle=30, type=Code(3, 40))
OXIMETER = DeviceRef(system_id="1122334455667788", model="Oximeter of nobody")
NOON = DeviceTime(TimeKind.ABSOLUTE, bytes.fromhex("2026112512000000"))


def observation(
    value: object = 97.0,
    *,
    channel: Channel = SPO2,
    status: int = 0,
    device_time: DeviceTime | None = None,
    received_s: float = 10.0,
) -> Observation:
    """Return an observation of `channel` with this value; by default a saturation of 97 %."""
    return Observation(channel, value, None, status, device_time, received_s)  # type: ignore[arg-type]  # any Value


def waveform(
    samples: bytes, *, channel: Channel = PLETH, device_time: DeviceTime | None = None, received_s: float = 10.0
) -> Observation:
    """Return an observation with these samples, which are big-endian, as devices send them."""
    return Observation(channel, None, samples, 0, device_time, received_s)


def signal(*samples: int, form: str = "h") -> bytes:
    """Return samples as devices send them. `form` is the format character of `struct`."""
    return struct.pack(f">{len(samples)}{form}", *samples)


def section(
    *observations: Observation,
    device: DeviceRef = OXIMETER,
    boot_id: str = "boot-1",
    wall_offset_us: int = 1_764_072_000_000_000,
    wall_synchronised: bool = True,
    device_offset_us: int | None = None,
    uncertainty_us: int = 0,
    stored: bool = False,
) -> DeviceObservations:
    """Return one section: observations of one device with the fields that all of them share.

    The gateway's monotonic time 0 is 2025-11-25T12:00:00Z by default.
    """
    return DeviceObservations(
        device=device,
        boot_id=boot_id,
        wall_offset_us=wall_offset_us,
        wall_synchronised=wall_synchronised,
        device_offset_us=device_offset_us,
        uncertainty_us=uncertainty_us,
        stored=stored,
        observations=list(observations),
    )


def numeric_section(count: int, *, first: int = 0) -> DeviceObservations:
    """Return `count` numerics of ten channels, numbered from `first`; no two have the same value and time."""
    channels = [Channel(handle=handle, type=Code(2, 19384), unit=Code(4, 544)) for handle in range(1, 11)]
    return section(
        *[
            observation(float(number), channel=channels[number % 10], received_s=number / 10)
            for number in range(first, first + count)
        ]
    )


def flattened(sections: Sequence[DeviceObservations]) -> list[tuple[DeviceObservations, Observation]]:
    """Return each observation as a pair with its section's fields (a section without observations). Results for the
    same observations are equal, even if the sections were divided differently."""
    return [
        (
            DeviceObservations(
                device=one.device,
                boot_id=one.boot_id,
                wall_offset_us=one.wall_offset_us,
                wall_synchronised=one.wall_synchronised,
                device_offset_us=one.device_offset_us,
                uncertainty_us=one.uncertainty_us,
                stored=one.stored,
                observations=(),
            ),
            each,
        )
        for one in sections
        for each in one.observations
    ]


_i64 = st.integers(-(2**63), 2**63 - 1)
_finite = st.floats(allow_nan=False, allow_infinity=False)
_received = st.floats(-RECEIVED_S_MAX, RECEIVED_S_MAX)
_specials = st.sampled_from(Special)
_codes = st.builds(Code, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_arrays = st.builds(SampleArray, format=st.sampled_from(SampleFormat), period_s=_finite, slope=_finite, offset=_finite)
_device_times = st.none() | st.builds(DeviceTime, st.sampled_from(TimeKind), st.binary(max_size=12))


def _channels(arrays: st.SearchStrategy[SampleArray | None]) -> st.SearchStrategy[Channel]:
    return st.builds(
        Channel,
        handle=st.integers(0, 2**64 - 1),
        type=_codes,
        unit=st.none() | _codes,
        person=st.none() | st.integers(0, 2**64 - 1),
        components=st.lists(_codes, max_size=4).map(tuple),
        supplemental_types=st.lists(_codes, max_size=3).map(tuple),
        array=arrays,
    )


_values = _finite | _specials | _i64 | _texts | _codes | st.lists(_finite | _specials, max_size=5).map(tuple)
_valued = st.builds(
    Observation,
    _channels(st.none() | _arrays),
    _values,
    st.none(),
    st.integers(0, 0xFFFF),
    _device_times,
    _received,
)
_sampled = st.builds(
    Observation, _channels(_arrays), st.none(), st.binary(max_size=64), st.integers(0, 0xFFFF), _device_times, _received
)
any_sections: st.SearchStrategy[list[DeviceObservations]] = st.lists(
    st.builds(
        DeviceObservations,
        device=st.builds(
            DeviceRef, system_id=_texts.map(lambda text: text[:20]), model=_texts, unverified_link=st.booleans()
        ),
        boot_id=st.sampled_from(["boot-1", "boot-2"]),
        wall_offset_us=_i64,
        wall_synchronised=st.booleans(),
        device_offset_us=st.none() | _i64,
        uncertainty_us=_i64,
        stored=st.booleans(),
        observations=st.lists(_valued | _sampled, max_size=6),
    ),
    max_size=4,
)
"""Any sections that a block can encode, including implausible ones."""
