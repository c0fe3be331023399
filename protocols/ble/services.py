"""Every service that Argus understands: the one table that sessions, documents, fuzzers and simulators go through."""

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
    record_access,
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
_CODECS: tuple[Codec, ...] = (
    *record_access.CODECS,
    *pulse_oximeter.CODECS,
    *blood_pressure.CODECS,
    *health_thermometer.CODECS,
    *glucose.CODECS,
    *device_information.CODECS,
    *battery.CODECS,
    *heart_rate.CODECS,
    *current_time.CODECS,
    *elapsed_time.CODECS,
    *device_time.CODECS,
    *weight_scale.CODECS,
    *body_composition.CODECS,
    *generic_health_sensor.CODECS,
    *cgm.CODECS,
)

PROFILES: Final[Mapping[int, ServiceProfile]] = {profile.service: profile for profile in _PROFILES}
"""By the service's UUID."""

CODECS: Final[Mapping[int, Codec]] = {codec.characteristic: codec for codec in _CODECS}
"""By the characteristic's UUID."""
