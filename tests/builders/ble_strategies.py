"""Hypothesis strategies for round trips: for each characteristic, every value that a device can send."""

from typing import Any, Final

from hypothesis import strategies as st

from protocols.ble.battery import BATTERY_LEVEL, BATTERY_LEVEL_STATUS, BatteryLevelStatus
from protocols.ble.blood_pressure import (
    BLOOD_PRESSURE_FEATURE,
    BLOOD_PRESSURE_MEASUREMENT,
    BLOOD_PRESSURE_RECORD,
    ENHANCED_BLOOD_PRESSURE,
    ENHANCED_CUFF_PRESSURE,
    INTERMEDIATE_CUFF_PRESSURE,
)
from protocols.ble.blood_pressure_values import (
    BloodPressure,
    BloodPressureRecord,
    CuffPressure,
    EnhancedBloodPressure,
    EnhancedCuffPressure,
)
from protocols.ble.body_composition import BODY_COMPOSITION_FEATURE, BODY_COMPOSITION_MEASUREMENT, BodyComposition
from protocols.ble.device_information import MODEL_NUMBER, PNP_ID, SYSTEM_ID, PnpId
from protocols.ble.health_thermometer import (
    INTERMEDIATE_TEMPERATURE,
    MEASUREMENT_INTERVAL,
    TEMPERATURE_MEASUREMENT,
    TEMPERATURE_TYPE,
    Temperature,
)
from protocols.ble.heart_rate import BODY_SENSOR_LOCATION, HEART_RATE_MEASUREMENT, HeartRate
from protocols.ble.pulse_oximeter import (
    PLX_CONTINUOUS,
    PLX_FEATURES,
    PLX_SPOT_CHECK,
    OximeterReading,
    PlxContinuous,
    PlxFeatures,
    PlxSpotCheck,
)
from protocols.ble.weight_scale import WEIGHT_MEASUREMENT, WEIGHT_SCALE_FEATURE, Weight, measure_of
from protocols.medfloat import float_of, sfloat_of

_U8, _U16, _U24, _U32 = (st.integers(0, (1 << 8 * octets) - 1) for octets in range(1, 5))
_SFLOAT = _U16.map(sfloat_of)
_FLOAT = _U32.map(float_of)
_PERCENT = st.integers(0, 100)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _in_steps(steps: int) -> st.SearchStrategy[Any]:
    return _U16.map(lambda raw: measure_of(raw, steps))


_DATE_TIME = _maybe(st.binary(min_size=7, max_size=7))
_DETAILS = {
    "kilopascal": st.booleans(),
    "pulse_rate": _maybe(_SFLOAT),
    "user_id": _maybe(_U8),
    "status": _maybe(_U16),
}
_THREE = {"systolic": _SFLOAT, "diastolic": _SFLOAT, "mean": _SFLOAT}
_TIMES = {"time_s": _maybe(_U32), "user_facing_s": _maybe(_U32), "epoch_2000": st.booleans()}
_READING = st.builds(OximeterReading, _SFLOAT, _SFLOAT)
_QUALITY = {
    "measurement_status": _maybe(_U16),
    "device_status": _maybe(_U24),
    "pulse_amplitude_index": _maybe(_SFLOAT),
}
_TEMPERATURE = st.builds(Temperature, value=_FLOAT, fahrenheit=st.booleans(), time_stamp=_DATE_TIME, place=_maybe(_U8))


@st.composite
def _features(draw: st.DrawFn) -> PlxFeatures:
    supported = draw(_U16)
    return PlxFeatures(
        supported=supported,
        measurement_status_support=draw(_U16) if supported & 1 else None,
        device_status_support=draw(_U24) if supported & 2 else None,
    )


@st.composite
def _weight(draw: st.DrawFn) -> Weight:
    imperial = draw(st.booleans())
    return Weight(
        weight=draw(_in_steps(100 if imperial else 200)),
        imperial=imperial,
        time_stamp=draw(_DATE_TIME),
        user_id=draw(_maybe(_U8)),
        index_and_height=draw(_maybe(st.tuples(_in_steps(10), _in_steps(10)))),
    )


@st.composite
def _body_composition(draw: st.DrawFn) -> BodyComposition:
    imperial = draw(st.booleans())
    mass, tenths = _maybe(_in_steps(100 if imperial else 200)), _maybe(_in_steps(10))
    return BodyComposition(
        fat_percent=draw(_in_steps(10)),
        imperial=imperial,
        time_stamp=draw(_DATE_TIME),
        user_id=draw(_maybe(_U8)),
        basal_metabolism_kj=draw(_maybe(_in_steps(1))),
        muscle_percent=draw(tenths),
        muscle_mass=draw(mass),
        fat_free_mass=draw(mass),
        soft_lean_mass=draw(mass),
        water_mass=draw(mass),
        impedance_ohm=draw(tenths),
        weight=draw(mass),
        height=draw(tenths),
        continues=draw(st.booleans()),
    )


@st.composite
def _heart_rate(draw: st.DrawFn) -> HeartRate:
    sixteen_bits = draw(st.booleans())
    return HeartRate(
        rate=draw(_U16 if sixteen_bits else _U8),
        contact_supported=draw(st.booleans()),
        contact_detected=draw(st.booleans()),
        energy_kj=draw(_maybe(_U16)),
        intervals_ticks=tuple(draw(st.lists(_U16, max_size=120))),
        sixteen_bits=sixteen_bits,
    )


VALUES: Final[dict[int, st.SearchStrategy[Any]]] = {
    TEMPERATURE_MEASUREMENT: _TEMPERATURE,
    INTERMEDIATE_TEMPERATURE: _TEMPERATURE,
    TEMPERATURE_TYPE: _U8,
    MEASUREMENT_INTERVAL: _U16,
    BLOOD_PRESSURE_MEASUREMENT: st.builds(BloodPressure, **_THREE, **_DETAILS, time_stamp=_DATE_TIME),
    INTERMEDIATE_CUFF_PRESSURE: st.builds(
        CuffPressure, cuff=_SFLOAT, unused=st.tuples(_SFLOAT, _SFLOAT), **_DETAILS, time_stamp=_DATE_TIME
    ),
    BLOOD_PRESSURE_FEATURE: _U16,
    ENHANCED_BLOOD_PRESSURE: st.builds(EnhancedBloodPressure, **_THREE, **_DETAILS, **_TIMES),
    ENHANCED_CUFF_PRESSURE: st.builds(EnhancedCuffPressure, cuff=_SFLOAT, **_DETAILS, **_TIMES),
    BLOOD_PRESSURE_RECORD: st.builds(
        BloodPressureRecord,
        first=st.booleans(),
        last=st.booleans(),
        counter=st.integers(0, 63),
        sequence_number=_U16,
        characteristic=_U16,
        part=st.binary(max_size=300),
    ),
    HEART_RATE_MEASUREMENT: _heart_rate(),
    BODY_SENSOR_LOCATION: _U8,
    PLX_SPOT_CHECK: st.builds(
        PlxSpotCheck, reading=_READING, time_stamp=_DATE_TIME, clock_not_set=st.booleans(), **_QUALITY
    ),
    PLX_CONTINUOUS: st.builds(PlxContinuous, normal=_READING, fast=_maybe(_READING), slow=_maybe(_READING), **_QUALITY),
    PLX_FEATURES: _features(),
    WEIGHT_MEASUREMENT: _weight(),
    WEIGHT_SCALE_FEATURE: _U32,
    BODY_COMPOSITION_MEASUREMENT: _body_composition(),
    BODY_COMPOSITION_FEATURE: _U32,
    MODEL_NUMBER: st.binary(max_size=512),
    SYSTEM_ID: st.binary(min_size=8, max_size=8),
    PNP_ID: st.builds(PnpId, source=_U8, vendor=_U16, product=_U16, version=_U16),
    BATTERY_LEVEL: _PERCENT,
    BATTERY_LEVEL_STATUS: st.builds(
        BatteryLevelStatus,
        power_state=_U16,
        identifier=_maybe(_U16),
        level_percent=_maybe(_PERCENT),
        additional=_maybe(_U8),
    ),
}
"""Map each characteristic to the strategy of its values."""
