"""Values of the Battery Service: each level is a live observation, and the device's identity has the latest level."""

import pytest

from protocols.ble.battery import (
    BATTERY_LEVEL,
    BATTERY_LEVEL_STATUS,
    Battery,
    BatteryLevelStatus,
    encode_level,
    encode_level_status,
)
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.dim.identity import identity_of
from tests.builders.ble_reported import Reported, measured, raw, reported


def test_battery_level_is_a_live_observation() -> None:
    events = Battery().receive(BATTERY_LEVEL, encode_level(87), 1.0)
    assert reported(events) == [Reported("MDC_ATTR_VAL_BATT_CHARGE", 87.0, "MDC_DIM_PERCENT")]
    assert not measured(events).stored


def test_device_identity_contains_the_latest_battery_level() -> None:
    battery = Battery()
    assert battery.attributes == ()
    assert battery.learn(BATTERY_LEVEL, encode_level(87)) == ()
    battery.receive(BATTERY_LEVEL, encode_level(86), 1.0)
    identity = identity_of(b"", tuple(AvaType(*pair) for pair in battery.attributes))
    assert identity.battery_percent == battery.level_percent == 86


def test_power_state_is_emitted_as_raw_bytes_in_addition_to_the_battery_level() -> None:
    battery = Battery()
    octets = encode_level_status(BatteryLevelStatus(power_state=0x21, level_percent=40))
    events = battery.receive(BATTERY_LEVEL_STATUS, octets, 1.0)
    assert [each.value for each in reported(events)] == [40.0]
    assert raw(events) == [octets]
    bare = encode_level_status(BatteryLevelStatus(power_state=0x41))
    assert reported(battery.receive(BATTERY_LEVEL_STATUS, bare, 2.0)) == []
    assert battery.level_percent == 40


@pytest.mark.parametrize(
    ("characteristic", "octets"),
    [
        (BATTERY_LEVEL, "65"),
        (BATTERY_LEVEL, "FF"),
        (BATTERY_LEVEL, ""),
        (BATTERY_LEVEL, "57 00"),
        (BATTERY_LEVEL_STATUS, "02 21 00 65"),
        (BATTERY_LEVEL_STATUS, "08 21 00 00"),
        (BATTERY_LEVEL_STATUS, "02 21 00"),
    ],
)
def test_battery_level_above_100_or_of_wrong_length_is_refused(characteristic: int, octets: str) -> None:
    battery = Battery()
    with pytest.raises(RemoteProtocolError):
        battery.receive(characteristic, bytes.fromhex(octets), 1.0)
    assert battery.level_percent is None
