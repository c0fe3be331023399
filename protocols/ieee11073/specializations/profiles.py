"""Table of the specialisations of 20601, with the configurations that the manager has in advance.

A device lists the codes of its profiles (partition 8) in its System-Type-Spec-List. `unconfirmed_id` follows the
pattern of the confirmed ids, but no public source confirms it: a device that uses this id has to send its objects
(reference 20601 §10).
"""

from typing import NamedTuple

from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.specializations.standard import (
    BLOOD_PRESSURE,
    GLUCOSE_METER,
    OXIMETER,
    OXIMETER_SPOT,
    THERMOMETER,
    WEIGHING_SCALE,
)


class Specialization(NamedTuple):
    """One specialisation. `part` is the number of the standard that defines it, empty if there is none. `profile` is a
    code of partition 8."""

    name: str
    part: str
    profile: int
    configurations: tuple[Configuration, ...] = ()
    unconfirmed_id: int | None = None


# fmt: off
# Why: one row of the table is one line, aligned, so that it can be read against the reference.
PULSE_OXIMETER       = Specialization("pulse oximeter",          "10404", 4100, (OXIMETER, OXIMETER_SPOT))
BASIC_ECG            = Specialization("basic ECG",               "10406", 4102, (), 0x0258)
BLOOD_PRESSURE_METER = Specialization("blood pressure monitor",  "10407", 4103, (BLOOD_PRESSURE,))
BODY_THERMOMETER     = Specialization("thermometer",             "10408", 4104, (THERMOMETER,))
RESPIRATION_RATE     = Specialization("respiration rate",        "",      4109)
SCALE                = Specialization("weighing scale",          "10415", 4111, (WEIGHING_SCALE,))
GLUCOSE              = Specialization("glucose meter",           "10417", 4113, (GLUCOSE_METER,))
GENERIC              = Specialization("device of several kinds", "",      4169)

SPECIALIZATIONS = (
    PULSE_OXIMETER,
    BASIC_ECG,
    BLOOD_PRESSURE_METER,
    BODY_THERMOMETER,
    RESPIRATION_RATE,
    SCALE,
    GLUCOSE,
    Specialization("coagulation (INR) meter",      "10418", 4114, (), 0x0708),
    Specialization("insulin pump",                 "10419", 4115, (), 0x076C),
    Specialization("body composition analyser",    "10420", 4116, (), 0x07D0),
    Specialization("peak flow meter",              "10421", 4117, (), 0x0834),
    Specialization("urine analyser",               "",      4118),
    Specialization("sleep apnoea therapy",         "10424", 4120, (), 0x0960),
    Specialization("continuous glucose monitor",   "10425", 4121, (), 0x09C4),
    Specialization("power status monitor",         "",      4124),
    Specialization("spirometer",                   "",      4125),
    Specialization("cardiovascular fitness",       "10441", 4137, (), 0x1004),
    Specialization("strength fitness",             "10442", 4138, (), 0x1068),
    Specialization("independent living hub",       "10471", 4167, (), 0x1BBC),
    Specialization("medication monitor",           "10472", 4168, (), 0x1C20),
    GENERIC,
)
# fmt: on
