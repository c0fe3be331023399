"""Observations of one call as records of the store, for proposals."""

from protocols.device_time import DeviceTime
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Value
from protocols.observation_record import ObservationRecord
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceRef

MONITOR = DeviceRef("11223344556677aa", "SIM MON-12")
OXIMETER = DeviceRef("1122334455667788", "SIM OX-1")
BEGAN_US = 1_778_024_000_000_000
"""Beginning of the call, in µs since 1970."""
NIBP = tuple(code_of(f"MDC_PRESS_BLD_NONINV_{part}") for part in ("SYS", "DIA", "MEAN"))


def measured(
    type_name: str,
    value: Value,
    unit: str | None = None,
    *,
    at_s: float,
    device: DeviceRef = MONITOR,
    status: int = 0,
    sequence: int | None = None,
    device_time: DeviceTime | None = None,
) -> ObservationRecord:
    """Return one observation, measured `at_s` seconds after the beginning of the call."""
    at_us = BEGAN_US + round(at_s * 1_000_000)
    channel = Channel(handle=1, type=code_of(type_name), unit=None if unit is None else code_of(unit))
    return ObservationRecord(
        gateway="gw-test",
        epoch="epoch-1",
        lane=Lane.NUMERIC,
        sequence=round(at_s) + 1 if sequence is None else sequence,
        index=0,
        device=device,
        handle=channel.handle,
        person=None,
        type=channel.type,
        value=value,
        unit=channel.unit,
        samples=None,
        array=None,
        components=NIBP if isinstance(value, tuple) else (),
        supplemental_types=(),
        status=status,
        device_time=device_time,
        device_local_us=None,
        observed_at_us=at_us,
        uncertainty_us=40_000,
        received_at_us=at_us + 20_000,
        stored=False,
        wall_synchronised=True,
    )


def spo2(percent: float, *, at_s: float, status: int = 0) -> ObservationRecord:
    return measured("MDC_PULS_OXIM_SAT_O2", percent, "MDC_DIM_PERCENT", at_s=at_s, device=OXIMETER, status=status)


def pulse(rate: float, *, at_s: float) -> ObservationRecord:
    """Return a pulse rate of the oximeter."""
    return measured("MDC_PULS_OXIM_PULS_RATE", rate, "MDC_DIM_BEAT_PER_MIN", at_s=at_s, device=OXIMETER)


def heart_rate(rate: float, *, at_s: float) -> ObservationRecord:
    """Return a heart rate of the monitor's ECG."""
    return measured("MDC_ECG_HEART_RATE", rate, "MDC_DIM_BEAT_PER_MIN", at_s=at_s)


def cuff(systolic: float, diastolic: float, mean: float, *, at_s: float) -> ObservationRecord:
    return measured("MDC_PRESS_BLD_NONINV", (systolic, diastolic, mean), "MDC_DIM_MMHG", at_s=at_s)
