"""Scales and glucose meters: the patient on a scale, a household on a scale, and blood glucose with its context.

A household's scale identifies people by number, and reports all of them in one multi-person report, as in example E28
of the founders' reference on 20601. The glucose diary always reports the same context: before a meal, and no exercise.
"""

from dataclasses import replace

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations import codes
from protocols.ieee11073.specializations.extended import BODY_SCALE, GLUCOSE_DIARY
from protocols.ieee11073.specializations.standard import GLUCOSE_METER, WEIGHING_SCALE
from simulators.agents.objects import Numeric
from simulators.agents.personal import SpotDevice
from simulators.physiology.body import MG_PER_DL_PER_MMOL_PER_L, body_of
from simulators.physiology.patient import Vitals

HOUSEHOLD = (1, 2)
"""Person ids; 1 is the patient."""

_MASS = Numeric(1, decimals=1)
_HEIGHT = Numeric(2)
_MASS_INDEX = Numeric(3, decimals=1)
_GLUCOSE_MG = Numeric(1)
_GLUCOSE_MMOL = Numeric(1, decimals=1)
_MEAL = 2
_EXERCISE = Numeric(3)


class WeighingScale(SpotDevice):
    """Scale that reports body mass every half minute. Object handle as in 10415: 1."""

    configuration = WEIGHING_SCALE
    first_s, every_s = 4.0, 30.0

    def read(self, vitals: Vitals, time: DeviceTime) -> tuple[Reading, ...]:
        return (_MASS.read(self._patient.body.mass_kg, time),)


class BodyScale(SpotDevice):
    """Scale that reports mass (handle 1), the height that a person entered (2), and body mass index (3), every half
    minute."""

    configuration = BODY_SCALE
    first_s, every_s = 4.0, 30.0

    def read(self, vitals: Vitals, time: DeviceTime) -> tuple[Reading, ...]:
        body = self._patient.body
        return (
            _MASS.read(body.mass_kg, time),
            _HEIGHT.read(body.height_cm, time),
            _MASS_INDEX.read(body.mass_index, time),
        )


class HouseholdScale(SpotDevice):
    """Scale that reports the mass of each person of the household, every minute in one multi-person report."""

    configuration = WEIGHING_SCALE
    first_s, every_s = 6.0, 60.0

    def read(self, vitals: Vitals, time: DeviceTime) -> tuple[Reading, ...]:
        bodies = {person: body_of(self._patient.seed, person) for person in HOUSEHOLD}
        return tuple(replace(_MASS.read(body.mass_kg, time), person=person) for person, body in bodies.items())


class GlucoseMeter(SpotDevice):
    """Meter that reports glucose of capillary whole blood in mg/dL, every minute. Object handle as in 10417: 1."""

    configuration = GLUCOSE_METER
    first_s, every_s = 7.0, 60.0

    def read(self, vitals: Vitals, time: DeviceTime) -> tuple[Reading, ...]:
        return (_GLUCOSE_MG.read(vitals.glucose_mmol_per_l * MG_PER_DL_PER_MMOL_PER_L, time),)


class GlucoseDiary(SpotDevice):
    """Meter that reports glucose in mmol/L (handle 1), meal (2), and exercise with duration (3), every minute."""

    configuration = GLUCOSE_DIARY
    first_s, every_s = 7.0, 60.0

    def read(self, vitals: Vitals, time: DeviceTime) -> tuple[Reading, ...]:
        return (
            _GLUCOSE_MMOL.read(vitals.glucose_mmol_per_l, time),
            Reading(_MEAL, codes.MEAL_BEFORE, time),
            replace(_EXERCISE.read(0.0, time), active_s=0.0),
        )
