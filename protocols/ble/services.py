"""Table of all supported GATT services. Sessions, documents, fuzzers and simulators use it."""

from collections.abc import Mapping
from typing import Final

from protocols.ble import (
    battery,
    blood_pressure,
    body_composition,
    cgm,
    current_time,
    device_information,
    device_time,
    elapsed_time,
    generic_health_sensor,
    glucose,
    health_thermometer,
    heart_rate,
    pulse_oximeter,
    weight_scale,
)
from protocols.ble.codec import Codec
from protocols.ble.interpretation import ServiceProfile

_PROFILES: tuple[ServiceProfile, ...] = (
    pulse_oximeter.PROFILE,
    blood_pressure.PROFILE,
    health_thermometer.PROFILE,
    glucose.PROFILE,
    device_information.PROFILE,
    battery.PROFILE,
    heart_rate.PROFILE,
    current_time.PROFILE,
    elapsed_time.PROFILE,
    device_time.PROFILE,
    weight_scale.PROFILE,
    body_composition.PROFILE,
    generic_health_sensor.PROFILE,
    cgm.PROFILE,
)
PROFILES: Final[Mapping[int, ServiceProfile]] = {profile.service: profile for profile in _PROFILES}
"""Profiles by the service's UUID."""

CODECS: Final[Mapping[int, Codec]] = {
    **{use.uuid: use.codec for profile in _PROFILES for use in profile.characteristics},
    **generic_health_sensor.DESCRIPTORS,
}
"""Codecs by the characteristic's or descriptor's UUID."""
