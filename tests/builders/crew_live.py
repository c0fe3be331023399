"""A live feed (the latest values for the crew's display) with devices, values and waveforms, received at a given
time.
"""

import math
import struct
from collections.abc import Sequence

from gateway.live import LiveDevice, LiveFeed
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, SampleArray, SampleFormat, Scalar, Value
from protocols.uplink.observations import DeviceRef

OXIMETER = DeviceRef("1122334455667788", "SIM OX-1")
MONITOR = DeviceRef("1122334455667799", "SIM MON-12")
CUFF = DeviceRef("11223344556677aa", "SIM CUFF-3")


def live_device(ref: DeviceRef = OXIMETER, *, connected: bool = True, last_s: float | None = None) -> LiveDevice:
    link = "tcp:127.0.0.1:6024" if ref is OXIMETER else "serial:/dev/argus/monitor"
    return LiveDevice(ref=ref, link=link, connected=connected, since_s=0.0, last_s=last_s)


def reading(
    type_name: str, value: Value, unit: str | None, *, received_s: float, handle: int = 1, status: int = 0
) -> Observation:
    channel = Channel(handle=handle, type=code_of(type_name), unit=code_of(unit) if unit else None)
    return Observation(channel, value, None, status, None, received_s)


def spo2(percent: Scalar, *, received_s: float, status: int = 0) -> Observation:
    return reading("MDC_PULS_OXIM_SAT_O2", percent, "MDC_DIM_PERCENT", received_s=received_s, handle=1, status=status)


def blood_pressure(systolic: float, diastolic: float, mean: float, *, received_s: float) -> Observation:
    components = tuple(code_of(f"MDC_PRESS_BLD_NONINV_{part}") for part in ("SYS", "DIA", "MEAN"))
    channel = Channel(
        handle=7, type=code_of("MDC_PRESS_BLD_NONINV"), unit=code_of("MDC_DIM_MMHG"), components=components
    )
    return Observation(channel, (systolic, diastolic, mean), None, 0, None, received_s)


_ECG = Channel(
    handle=20,
    type=code_of("MDC_ECG_ELEC_POTL_II"),
    unit=code_of("MDC_DIM_MILLI_VOLT"),
    array=SampleArray(format=SampleFormat.I16, period_s=0.004, slope=0.005, offset=0.0),
)


def ecg(second: int, *, received_s: float) -> Observation:
    """Return one second of a synthetic ECG: 250 samples with a narrow and a rounded peak. It is received `second`
    seconds after `received_s`."""
    samples = [
        round(200 * math.exp(-(((at - 60) / 4) ** 2)) - 40 * math.exp(-(((at - 68) / 4) ** 2)))
        + round(45 * math.exp(-(((at - 125) / 16) ** 2)))
        for at in range(250)
    ]
    return Observation(_ECG, None, struct.pack(">250h", *samples), 0, None, received_s + second)


def ecg_samples(millivolts: Sequence[float], *, received_s: float) -> Observation:
    """Return an observation of ECG lead II with the given samples, 4 ms apart."""
    raw = [round(value / 0.005) for value in millivolts]
    return Observation(_ECG, None, struct.pack(f">{len(raw)}h", *raw), 0, None, received_s)


_PLETH = Channel(
    handle=21,
    type=code_of("MDC_PULS_OXIM_PLETH"),
    array=SampleArray(format=SampleFormat.I16, period_s=0.008, slope=0.0001, offset=0.0),
)


def pleth(*, received_s: float) -> Observation:
    """Return one second of a synthetic plethysmogram, 125 samples."""
    samples = [round(4000 + 3000 * math.sin(at / 125 * 2 * math.pi)) for at in range(125)]
    return Observation(_PLETH, None, struct.pack(">125h", *samples), 0, None, received_s)


def filled_feed(*, now_s: float) -> LiveFeed:
    """Return a feed with an oximeter, a cuff and a monitor that reported at `now_s`."""
    feed = LiveFeed()
    report_all(feed, now_s=now_s)
    return feed


def report_all(feed: LiveFeed, *, now_s: float) -> None:
    """Let the three devices of `filled_feed` report at `now_s`."""
    feed.observed(
        live_device(OXIMETER, last_s=now_s),
        [
            spo2(97.0, received_s=now_s),
            reading("MDC_PULS_OXIM_PULS_RATE", 72.0, "MDC_DIM_BEAT_PER_MIN", received_s=now_s, handle=2),
        ],
        0,
    )
    feed.observed(live_device(CUFF, last_s=now_s), [blood_pressure(121.0, 79.0, 93.0, received_s=now_s - 240)], 0)
    feed.observed(
        live_device(MONITOR, last_s=now_s),
        [
            reading("MDC_ECG_HEART_RATE", 72.0, "MDC_DIM_BEAT_PER_MIN", received_s=now_s, handle=3),
            reading("MDC_AWAY_CO2_ET", 38.0, "MDC_DIM_MMHG", received_s=now_s, handle=4),
            reading("MDC_RESP_RATE", 14.0, "MDC_DIM_RESP_PER_MIN", received_s=now_s, handle=5),
            *(ecg(second, received_s=now_s - 6) for second in range(6)),
        ],
        0,
    )
