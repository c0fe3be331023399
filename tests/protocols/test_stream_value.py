"""A class with the decorator `stream_value` behaves like a frozen dataclass with slots: it has equality and a hash."""

import pytest

from protocols.device_time import DeviceTime, TimeKind
from protocols.observation import Channel, Observation
from tests.builders.ieee11073_devices import SPO2, minute

CHANNEL = Channel(handle=1, type=SPO2)


def observation(value: float = 97.0) -> Observation:
    return Observation(channel=CHANNEL, value=value, samples=None, status=0, device_time=minute(3), received_s=12.5)


def test_stream_values_with_equal_fields_are_equal_and_have_equal_hashes() -> None:
    assert observation() == Observation(CHANNEL, 97.0, None, 0, minute(3), 12.5)
    assert observation() != observation(98.0)
    assert len({observation(), observation(), observation(98.0)}) == 2


def test_stream_value_never_equals_an_object_of_another_class() -> None:
    time = DeviceTime(TimeKind.ABSOLUTE, minute(3).octets)
    assert time == minute(3)
    assert time != (TimeKind.ABSOLUTE, minute(3).octets)


def test_stream_value_refuses_additional_attributes() -> None:
    with pytest.raises(AttributeError):
        observation().note = "x"  # type: ignore[attr-defined]  # this must fail
