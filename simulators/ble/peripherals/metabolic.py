"""Two scales, which indicate measurements and remove confirmed ones, and a glucose meter.

The meter sends nothing by itself: a client requests its records through the record access control point, each with the
context of the measurement, which is always "before a meal".
"""

from collections.abc import Iterable
from datetime import datetime

from protocols.ble.body_composition import (
    BODY_COMPOSITION_FEATURE,
    BODY_COMPOSITION_MEASUREMENT,
    BodyComposition,
    encode_body_composition,
)
from protocols.ble.body_composition import encode_feature as encode_composition_feature
from protocols.ble.glucose_values import (
    GLUCOSE_CONTEXT,
    GLUCOSE_FEATURE,
    GLUCOSE_MEASUREMENT,
    Concentration,
    ConcentrationUnit,
    GlucoseContext,
    GlucoseFeature,
    GlucoseMeasurement,
    decode_measurement,
    encode_context,
    encode_feature,
    encode_measurement,
)
from protocols.ble.interpretation import RecordNumbering
from protocols.ble.uuids import BODY_COMPOSITION, GLUCOSE, WEIGHT_SCALE
from protocols.ble.weight_scale import WEIGHT_MEASUREMENT, WEIGHT_SCALE_FEATURE, Weight, encode_weight
from protocols.ble.weight_scale import encode_feature as encode_scale_feature
from protocols.ble.wire import date_time_bytes, date_time_of
from simulators.ble.peripherals.personal import stamp
from simulators.ble.sensor import Offered, PacedSensor, Sample, Way, moment_of
from simulators.ble.store import Values
from simulators.physiology.patient import Vitals

_USER = 1
_CAPILLARY_WHOLE_BLOOD, _FINGER = 1, 1
_BEFORE_MEAL = 1
_SELF, _NO_ISSUES = 1, 5
_NUMBERS = 0x10000
_TIMES, _USERS, _INDEX, _MASS_FINEST, _LENGTH_FINEST = 0x01, 0x02, 0x04, 7 << 3, 3 << 7
_COMPOSITION_TIMES, _COMPOSITION_LEAN, _COMPOSITION_WATER, _COMPOSITION_WEIGHT = 0x001, 0x020, 0x080, 0x200
_WATER_OF_LEAN = 0.732
"""Water as a fraction of the mass without fat; in every textbook."""


class WeighingScale(PacedSensor):
    """Scale that measures body mass, body-mass index and height every half minute."""

    services = (WEIGHT_SCALE,)
    first_s, every_s = 4.0, 30.0

    def offered(self) -> tuple[Offered, ...]:
        feature = encode_scale_feature(_TIMES | _USERS | _INDEX | _MASS_FINEST | _LENGTH_FINEST)
        return (
            Offered(service=WEIGHT_SCALE, uuid=WEIGHT_MEASUREMENT, way=Way.INDICATED),
            Offered(service=WEIGHT_SCALE, uuid=WEIGHT_SCALE_FEATURE, read=lambda: feature),
        )

    def read(self, vitals: Vitals, at_s: float, moment: datetime | None) -> Iterable[Sample]:
        body = self.patient.body
        value = Weight(
            weight=body.mass_kg,
            time_stamp=stamp(moment),
            user_id=_USER,
            index_and_height=(round(body.mass_index, 1), body.height_cm),
        )
        return (Sample(kept=lambda number: ((WEIGHT_MEASUREMENT, encode_weight(value)),)),)


class BodyScale(PacedSensor):
    """Scale that measures mass, fat, lean mass and water every half minute; all follow from the patient's build."""

    services = (BODY_COMPOSITION,)
    first_s, every_s = 4.0, 30.0

    def offered(self) -> tuple[Offered, ...]:
        feature = encode_composition_feature(
            _COMPOSITION_TIMES | _COMPOSITION_LEAN | _COMPOSITION_WATER | _COMPOSITION_WEIGHT
        )
        return (
            Offered(service=BODY_COMPOSITION, uuid=BODY_COMPOSITION_MEASUREMENT, way=Way.INDICATED),
            Offered(service=BODY_COMPOSITION, uuid=BODY_COMPOSITION_FEATURE, read=lambda: feature),
        )

    def read(self, vitals: Vitals, at_s: float, moment: datetime | None) -> Iterable[Sample]:
        body = self.patient.body
        fat_percent = round(1.2 * body.mass_index - 7.0, 1)
        lean_kg = body.mass_kg * (1 - fat_percent / 100)
        value = BodyComposition(
            fat_percent=fat_percent,
            time_stamp=stamp(moment),
            user_id=_USER,
            fat_free_mass=round(lean_kg, 1),
            water_mass=round(lean_kg * _WATER_OF_LEAN, 1),
            weight=body.mass_kg,
        )
        return (Sample(kept=lambda number: ((BODY_COMPOSITION_MEASUREMENT, encode_body_composition(value)),)),)


class GlucoseMeter(PacedSensor):
    """Meter that stores glucose of capillary whole blood in mmol/L with its context every minute."""

    services = (GLUCOSE,)
    numbering = RecordNumbering.SEQUENCE_NUMBER
    first_s, every_s = 7.0, 60.0

    def offered(self) -> tuple[Offered, ...]:
        return (
            Offered(service=GLUCOSE, uuid=GLUCOSE_MEASUREMENT, way=Way.NOTIFIED),
            Offered(service=GLUCOSE, uuid=GLUCOSE_CONTEXT, way=Way.NOTIFIED),
            Offered(service=GLUCOSE, uuid=GLUCOSE_FEATURE, read=lambda: encode_feature(GlucoseFeature(0))),
        )

    def read(self, vitals: Vitals, at_s: float, moment: datetime | None) -> Iterable[Sample]:
        found = Concentration(round(vitals.glucose_mmol_per_l, 1), _CAPILLARY_WHOLE_BLOOD, _FINGER)

        def record(number: int) -> Values:
            measurement = GlucoseMeasurement(
                sequence_number=number % _NUMBERS,
                base_time=date_time_bytes(moment),
                unit=ConcentrationUnit.MMOL_PER_L,
                concentration=found,
                status=0,
                context_follows=True,
            )
            context = GlucoseContext(
                sequence_number=number % _NUMBERS,
                meal=_BEFORE_MEAL,
                tester_health=_NO_ISSUES << 4 | _SELF,
            )
            return (GLUCOSE_MEASUREMENT, encode_measurement(measurement)), (GLUCOSE_CONTEXT, encode_context(context))

        return (Sample(kept=record),)

    def number_of(self, number: int, values: Values) -> int:
        return number % _NUMBERS

    def user_facing(self, values: Values) -> datetime | None:
        time = date_time_of(decode_measurement(values[0][1]).base_time)
        local_us = None if time is None else time.local_us()
        return None if local_us is None else moment_of(local_us)
