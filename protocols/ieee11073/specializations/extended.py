"""Extended configurations: examples from public sources, and our own for devices that no standard describes.

The same id means other objects on another manufacturer's device, so the manager does not have these configurations in
advance, and every device sends its objects. They are collected here for our simulated devices, and as an example for
device makers (`docs/device-maker.md`).

Samples of our own waveforms are signed 16-bit numbers. The two points of their scale are far apart and have few
decimals, so that a manager computes the scale exactly. The reference gives no scale for the ECG with a period of 10 ms,
so it has the same scale as the other ECGs.
"""

from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import (
    SPOT_MEASUREMENT,
    compound,
    enumeration,
    numeric,
    periodic_scanner,
    waveform,
)
from protocols.ieee11073.nomenclature import Code
from protocols.ieee11073.specializations import codes
from protocols.observation import SampleFormat

CONTINUOUS = 0x0040
"""Metric-Spec-Small: agent-initiated, no other bit."""
MANUAL = 0xF048
"""A spot measurement entered by hand."""
CALCULATED = 0xF042
"""A spot value that the device computed from another."""
BLOCK_S = 0.25
"""Duration of a waveform in one report of our devices."""

_STAMP = Attribute.TIME_STAMP_ABSOLUTE
_ECG_HZ = 500
_SLOW_HZ = 100


def _number(handle: int, code: Code, unit: Code) -> ConfigObject:
    return numeric(handle, code, unit, time_stamp=_STAMP, metric_spec=CONTINUOUS)


def _bits(handle: int, code: Code) -> ConfigObject:
    return enumeration(handle, code, value=Attribute.ENUM_BASIC_BITS, time_stamp=_STAMP, metric_spec=CONTINUOUS)


def _signal(handle: int, code: Code, unit: Code, *, rate_hz: int, gain: int, raw: int) -> ConfigObject:
    """Return a waveform object. `gain` raw units are one `unit`; the points of the scale are at -`raw` and +`raw`."""
    return waveform(
        handle,
        code,
        unit,
        period_s=1 / rate_hz,
        samples=round(rate_hz * BLOCK_S),
        physical=(-raw / gain, raw / gain),
        raw=(-raw, raw),
        time_stamp=_STAMP,
    )


def _lead(handle: int, name: str) -> ConfigObject:
    return _signal(handle, codes.LEAD_CODES[name], codes.MILLIVOLT, rate_hz=_ECG_HZ, gain=200, raw=32_600)


def _pleth(handle: int) -> ConfigObject:
    return _signal(handle, codes.PLETH, codes.DIMENSIONLESS, rate_hz=_SLOW_HZ, gain=10_000, raw=30_000)


def _capnogram(handle: int) -> ConfigObject:
    return _signal(handle, codes.CO2, codes.MMHG, rate_hz=_SLOW_HZ, gain=100, raw=32_700)


# The `ecg`, `multiparameter`, `defib` and `etco2` of the contract.

BASIC_ECG = Configuration(
    0x4000,
    (
        _lead(1, "I"),
        _lead(2, "II"),
        _lead(3, "III"),
        _number(10, codes.HEART_RATE, codes.BEATS_PER_MIN),
    ),
)
"""Three leads and the heart rate. An extended configuration, because no source confirms the objects of 10406's standard
id."""

MULTIPARAMETER = Configuration(
    0x4100,
    (
        *(_lead(handle, name) for handle, name in enumerate(codes.LEAD_CODES, 1)),
        _pleth(20),
        _capnogram(21),
        _signal(22, codes.IMPEDANCE_RESPIRATION, codes.OHM, rate_hz=_SLOW_HZ, gain=1000, raw=32_000),
        _number(30, codes.HEART_RATE, codes.BEATS_PER_MIN),
        _number(31, codes.SPO2, codes.PERCENT),
        _number(32, codes.PULSE_RATE_OXIMETER, codes.BEATS_PER_MIN),
        _number(33, codes.PERFUSION, codes.PERCENT),
        _number(34, codes.END_TIDAL_CO2, codes.MMHG),
        _number(35, codes.RESPIRATION_RATE, codes.BREATHS_PER_MIN),
        _number(36, codes.TEMPERATURE, codes.CELSIUS),
        compound(40, codes.PRESSURE, codes.PRESSURE_PARTS, codes.MMHG, time_stamp=_STAMP, metric_spec=CONTINUOUS),
        _number(41, codes.PULSE_RATE_CUFF, codes.BEATS_PER_MIN),
    ),
)
"""Twelve leads (1 to 12), pleth, capnogram, respiration (20 to 22), their numbers (30 to 36) and the cuff (40, 41)."""

DEFIBRILLATOR = Configuration(
    0x4200,
    (
        _lead(1, "II"),
        _number(10, codes.HEART_RATE, codes.BEATS_PER_MIN),
        _number(11, codes.PAD_IMPEDANCE, codes.OHM),
        _bits(12, codes.PAD_STATUS),
        _number(20, codes.ENERGY_SELECTED, codes.JOULE),
        _number(21, codes.ENERGY_DELIVERED, codes.JOULE),
        _number(22, codes.SHOCK_COUNT, codes.DIMENSIONLESS),
        _number(30, codes.COMPRESSION_RATE, codes.PER_MIN),
        _number(31, codes.COMPRESSION_DEPTH, codes.MILLIMETRE),
        _number(40, codes.PACER_RATE, codes.PER_MIN),
        _number(41, codes.PACER_CURRENT, codes.MILLIAMPERE),
        _bits(42, codes.PACER_MODE),
    ),
)
"""The ECG of the pads, pads (10 to 12), shocks (20 to 22), compressions (30, 31), pacer (40 to 42)."""

CAPNOMETER = Configuration(
    0x4300,
    (
        _capnogram(1),
        _number(10, codes.END_TIDAL_CO2, codes.MMHG),
        _number(11, codes.INSPIRED_CO2, codes.MMHG),
        _number(12, codes.RESPIRATION_RATE, codes.BREATHS_PER_MIN),
    ),
)
"""The capnogram, end-tidal and inspired pressure of CO2, and the respiration rate derived from it."""

# Examples of public sources (reference 20601 §10 and E14). Their ids, except that of E14, are ours.

ECG_SCANNED_LEAD = waveform(
    1,
    codes.LEAD_CODES["I"],
    codes.MILLIVOLT,
    period_s=0.004,
    samples=8,
    sample_format=SampleFormat.U16,
    physical=(-2.0, 2.0),
    raw=(0, 4000),
)
ECG_SCANNED_RATE = numeric(2, codes.HEART_RATE, codes.BEATS_PER_MIN, metric_spec=CONTINUOUS)
ECG_SCANNED = Configuration(
    0x4000,
    (ECG_SCANNED_LEAD, ECG_SCANNED_RATE, periodic_scanner(3, (ECG_SCANNED_LEAD, ECG_SCANNED_RATE), interval_s=0.032)),
)
"""E14: lead I and the heart rate through a periodic scanner, unconfirmed, 8 samples of 4 ms in each report."""

ECG_TEN_MILLISECONDS = Configuration(
    0x4010,
    (
        waveform(
            1,
            codes.LEAD_CODES["I"],
            codes.MILLIVOLT,
            period_s=0.01,
            samples=80,
            physical=(-163.0, 163.0),
            raw=(-32_600, 32_600),
            time_stamp=_STAMP,
        ),
    ),
)
"""One lead, 80 samples of 10 ms in each report."""

BODY_SCALE = Configuration(
    0x4020,
    (
        numeric(
            1,
            codes.BODY_MASS,
            codes.KILOGRAM,
            value=Attribute.NU_SIMPLE,
            time_stamp=_STAMP,
            metric_spec=SPOT_MEASUREMENT,
        ),
        numeric(
            2, codes.BODY_HEIGHT, codes.CENTIMETRE, value=Attribute.NU_SIMPLE, time_stamp=_STAMP, metric_spec=MANUAL
        ),
        numeric(
            3,
            codes.BODY_MASS_INDEX,
            codes.KILOGRAM_PER_M2,
            value=Attribute.NU_SIMPLE,
            time_stamp=_STAMP,
            metric_spec=CALCULATED,
            source_handle=1,
        ),
    ),
)
"""Mass, the height entered by hand, and the body mass index computed from both."""

GLUCOSE_DIARY = Configuration(
    0x4030,
    (
        numeric(1, codes.GLUCOSE, codes.MILLIMOLE_PER_L, time_stamp=_STAMP, metric_spec=SPOT_MEASUREMENT),
        enumeration(2, codes.MEAL, metric_spec=MANUAL, mapped=(_STAMP, Attribute.ENUM_SIMPLE_OID)),
        numeric(
            3,
            codes.EXERCISE,
            codes.PERCENT,
            metric_spec=MANUAL,
            mapped=(_STAMP, Attribute.MEASURE_ACTIVE_PERIOD, Attribute.NU_BASIC),
        ),
    ),
)
"""Glucose in mmol/L with its context: the meal, and the exercise with its duration."""

EXTENDED_CONFIGURATIONS = (
    BASIC_ECG,
    MULTIPARAMETER,
    DEFIBRILLATOR,
    CAPNOMETER,
    ECG_SCANNED,
    ECG_TEN_MILLISECONDS,
    BODY_SCALE,
    GLUCOSE_DIARY,
)
