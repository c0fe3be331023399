"""The events of a GATT interpreter with nomenclature names in place of codes, which makes tests readable."""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.ble.interpretation import GattEvent, Measured, Uninterpreted
from protocols.deviation import Deviation
from protocols.ieee11073.nomenclature import name_of
from protocols.observation import Observation, Value, status_names


class Reported(NamedTuple):
    """An observation's type, value and unit; type and unit are nomenclature names."""

    type: str
    value: Value | None
    unit: str | None


def measured(events: Sequence[GattEvent]) -> Measured:
    """Return the measurement among the events, which must contain exactly one."""
    (found,) = [event for event in events if isinstance(event, Measured)]
    return found


def observations(events: Sequence[GattEvent]) -> list[Observation]:
    return [each for event in events if isinstance(event, Measured) for each in event.observations]


def reported(events: Sequence[GattEvent]) -> list[Reported]:
    return [
        Reported(
            name_of(each.channel.type), each.value, None if each.channel.unit is None else name_of(each.channel.unit)
        )
        for each in observations(events)
    ]


def statuses(events: Sequence[GattEvent]) -> list[list[str]]:
    return [status_names(each.status) for each in observations(events)]


def raw(events: Sequence[GattEvent]) -> list[bytes]:
    """Return the values that the interpreter passed on without decoding."""
    return [event.octets for event in events if isinstance(event, Uninterpreted)]


def deviations(events: Sequence[GattEvent]) -> list[str]:
    return [event.sentence for event in events if isinstance(event, Deviation)]
