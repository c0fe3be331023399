"""Select the usable profiles of a device's GATT table, order their characteristics, and list incomplete services.

A service without its mandatory characteristics is left out and recorded. A link without any complete measuring service
is refused (`lacks`). The stack's stored table is then dropped once, because it may be from before a change of firmware.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from protocols.ble import uuids
from protocols.ble.current_time import CURRENT_TIME
from protocols.ble.device_time import DEVICE_TIME
from protocols.ble.elapsed_time import CURRENT_ELAPSED_TIME
from protocols.ble.interpretation import ServiceProfile, Use
from protocols.ble.services import PROFILES
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT

SUPPORTING: Final = frozenset(
    {uuids.DEVICE_INFORMATION, uuids.BATTERY, uuids.CURRENT_TIME, uuids.DEVICE_TIME, uuids.ELAPSED_TIME}
)
"""Auxiliary services. Nearly every device has some of these, a watch or a pair of headphones too."""

_NAMED_MAX = 16
_OTHERS: Final = {0x1800: "Generic Access", 0x1801: "Generic Attribute", 0x1812: "Human Interface Device"}

_CLOCKS = (
    (uuids.CURRENT_TIME, CURRENT_TIME),
    (uuids.DEVICE_TIME, DEVICE_TIME),
    (uuids.ELAPSED_TIME, CURRENT_ELAPSED_TIME),
)
_ALLOWS: Mapping[Use, frozenset[str]] = {
    Use.READ: frozenset({"read"}),
    Use.SUBSCRIBE: frozenset({"notify", "indicate"}),
    Use.WRITE: frozenset({"write", "write-without-response"}),
}
"""For each use, the properties of which a characteristic needs at least one. Most characteristics are optional."""
_LIVE_ONLY = frozenset({uuids.HEART_RATE})
"""Measuring services whose devices store no measurements."""


class Table(Protocol):
    """The part of a link that this module reads: its GATT table."""

    def has(self, service: int, characteristic: int | None = None) -> bool: ...
    def properties(self, service: int, characteristic: int) -> frozenset[str]: ...
    def services(self) -> tuple[int, ...]: ...


class Step(NamedTuple):
    """One characteristic of a profile, to be read, subscribed or written."""

    profile: ServiceProfile
    characteristic: int

    @property
    def measures(self) -> bool:
        return self.profile.service not in SUPPORTING and self.characteristic != RECORD_ACCESS_CONTROL_POINT


class Usable:
    """The supported part of one link's GATT table. `missing`: sentences about services that are not complete."""

    def __init__(self, table: Table, profiles: Mapping[int, ServiceProfile] = PROFILES) -> None:
        self._table = table
        self.profiles: list[ServiceProfile] = []
        self.missing: list[str] = []
        for service in table.services():
            profile = profiles.get(service)
            if profile is None:
                continue
            if why := _lacking(profile, table):
                self.missing.append(why)
            else:
                self.profiles.append(profile)

    @property
    def measures(self) -> bool:
        return any(profile.service not in SUPPORTING for profile in self.profiles)

    @property
    def keeps_measurements(self) -> bool:
        """True when the device may hold measurements that it has not sent, as nearly all devices do."""
        return any(profile.service not in SUPPORTING | _LIVE_ONLY for profile in self.profiles)

    @property
    def stores(self) -> list[ServiceProfile]:
        """Profiles of the services that have a record store on this device."""
        return [
            profile
            for profile in self.profiles
            if profile.record_store is not None and self._table.has(profile.service, RECORD_ACCESS_CONTROL_POINT)
        ]

    @property
    def clocks(self) -> tuple[tuple[int, int], ...]:
        """The clocks that can be read, as pairs of service and characteristic."""
        return tuple(each for each in _CLOCKS if self._table.properties(*each) & _ALLOWS[Use.READ])

    @property
    def clock_may_be_set(self) -> bool:
        return bool(self._table.properties(*_CLOCKS[0]) & _ALLOWS[Use.WRITE])

    def reads(self) -> Iterator[Step]:
        """Yield the characteristics to read once, starting with the characteristics of Device Information."""
        first = sorted(self.profiles, key=lambda profile: profile.service != uuids.DEVICE_INFORMATION)
        yield from self._steps(first, Use.READ)

    def subscriptions(self) -> Iterator[Step]:
        """Yield the characteristics to subscribe, control points last. A server refuses a request to a control point
        while the values of the service are not subscribed, and the response to the request must not be lost."""
        steps = list(self._steps(self.profiles, Use.SUBSCRIBE))
        yield from sorted(steps, key=_is_control_point)

    def starts(self) -> Iterator[tuple[Step, bytes]]:
        """Yield the characteristics to write, each with its value, to start live data."""
        for profile in self.profiles:
            for characteristic, octets in profile.start:
                if self._table.has(profile.service, characteristic):
                    yield Step(profile, characteristic), octets

    def _steps(self, profiles: list[ServiceProfile], use: Use) -> Iterator[Step]:
        for profile in profiles:
            for each in profile.characteristics:
                if use in each.uses and self._table.properties(profile.service, each.uuid) & _ALLOWS[use]:
                    yield Step(profile, each.uuid)


def lacks(table: Table) -> str:
    """Return a sentence about what a device lacks, or "" when it has a complete measuring service."""
    usable = Usable(table)
    if usable.measures:
        return ""
    if usable.missing:
        return "; ".join(usable.missing)
    return f"it shows no service that measures something we understand: {service_words(table.services())}"


def name_of(profile: ServiceProfile, characteristic: int) -> str:
    use = profile.use(characteristic)
    return f"0x{characteristic:04X}" if use is None else use.name


def _lacking(profile: ServiceProfile, table: Table) -> str:
    missing = [use.name for use in profile.characteristics if use.required and not table.has(profile.service, use.uuid)]
    any_of = profile.required_any
    if any_of and not any(table.has(profile.service, each) for each in any_of):
        missing.append(" or ".join(name_of(profile, each) for each in any_of))
    return f"its {profile.name} service lacks {', '.join(missing)}" if missing else ""


def _is_control_point(step: Step) -> bool:
    """Return whether the characteristic of `step`, which can be subscribed, can be written too. This is true of control
    points and of clocks."""
    use = step.profile.use(step.characteristic)
    return use is not None and Use.WRITE in use.uses


def find_measuring(services: Iterable[int]) -> tuple[int, ...]:
    return tuple(each for each in services if each in PROFILES and each not in SUPPORTING)


def find_supported(services: Iterable[int]) -> tuple[int, ...]:
    """Return the supported services, including auxiliary ones such as Battery."""
    return tuple(each for each in services if each in PROFILES or each in SUPPORTING)


def service_words(services: Iterable[int]) -> str:
    """Return at most 16 services as text, by name where there is one: `Pulse Oximeter, Battery, 0x1234`."""
    listed = list(services)
    names = [PROFILES[each].name if each in PROFILES else _OTHERS.get(each, f"0x{each:04X}") for each in listed]
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
