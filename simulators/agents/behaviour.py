"""Settings of a simulated device besides its measurements: clock, scanner, data requests, a changing configuration.

The standard configurations have no scanner, and a fixed kind of time stamp. So a device with a scanner, or with another
kind of time stamp, declares an extended configuration. The configuration id depends on these settings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from protocols.device_time import TimeKind
from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType
from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.channels import METRICS
from protocols.ieee11073.dim.configuration import Configuration, value_map
from protocols.ieee11073.dim.objects import ava, episodic_scanner, numeric, periodic_scanner
from protocols.ieee11073.dim.value_fields import TIME_STAMPS
from protocols.ieee11073.mder import encode_list
from protocols.ieee11073.specializations import codes
from simulators.agents.own_clock import ClockBehaviour

SCANNER_HANDLE = 0x0F00
ACCESSORY_HANDLE = 0x0F01
_SCANNED, _RESTAMPED, _CHANGED = 0x2000, 0x1000, 0x0800
"""Added to a configuration id for each change of the configuration."""
_EXTENDED = 0x4000
_INTERVAL_S = 0.25
_SCANNERS = frozenset({ObjectClass.EPISODIC_SCANNER, ObjectClass.PERIODIC_SCANNER})


class ScannerKind(Enum):
    """Class of the scanner object that sends a device's reports in place of the MDS."""

    EPISODIC = "episodic"
    PERIODIC = "periodic"


class DataRequests(Enum):
    """Support for data requests of the manager."""

    NO = "no"
    ALSO = "also"
    """A report that a running data request covers is sent with the id of that request."""
    ONLY = "only"
    """A report is kept until a data request covers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Settings of a simulated device's behaviour. With the defaults, a device behaves as its kind does.

    `scanner`: a scanner sends all reports, confirmed, once the manager has enabled it. `standard_id_first`: id of a
    standard configuration that the device offers first, without objects, because it expects the manager to know the
    standard configurations. `reconfigure_at_s`: patient time at which an accessory changes the configuration.
    """

    clock: ClockBehaviour = field(default_factory=ClockBehaviour)
    scanner: ScannerKind | None = None
    data_requests: DataRequests = DataRequests.NO
    standard_id_first: int | None = None
    reconfigure_at_s: float | None = None

    def configuration_of(self, configuration: Configuration) -> Configuration:
        """Return `configuration` with the time stamps and the scanner that these settings require."""
        if self.clock.kind is not TimeKind.ABSOLUTE:
            configuration = restamped(configuration, _STAMPS[self.clock.kind])
        if self.scanner is not None:
            configuration = scanned(configuration, self.scanner)
        return configuration

    def offers(self, configuration: Configuration) -> Sequence[Configuration]:
        """Return the configurations that the device offers to the manager, in order: first the configuration
        `standard_id_first` without objects, if it is set, and then `configuration`."""
        if self.standard_id_first is None:
            return (configuration,)
        return Configuration(self.standard_id_first, ()), configuration


def restamped(configuration: Configuration, stamp: Attribute) -> Configuration:
    """Return the configuration with `stamp` in place of each absolute time stamp. A configuration without absolute time
    stamps is returned unchanged."""
    objects = tuple(_restamped(item, stamp) for item in configuration.objects)
    if objects == configuration.objects:
        return configuration
    return Configuration(configuration.config_id | _EXTENDED | _RESTAMPED, objects)


def scanned(configuration: Configuration, kind: ScannerKind) -> Configuration:
    """Return the configuration with an added scanner over all its metric objects."""
    metrics = tuple(item for item in configuration.objects if item.obj_class in METRICS)
    if kind is ScannerKind.EPISODIC:
        scanner = episodic_scanner(SCANNER_HANDLE, metrics, confirmed=True)
    else:
        scanner = periodic_scanner(SCANNER_HANDLE, metrics, interval_s=_INTERVAL_S, confirmed=True)
    return Configuration(configuration.config_id | _EXTENDED | _SCANNED, (*configuration.objects, scanner))


def has_scanner(configuration: Configuration) -> bool:
    return any(item.obj_class in _SCANNERS for item in configuration.objects)


def with_accessory(configuration: Configuration) -> Configuration:
    """Return the configuration with a further numeric object: a probe that never measures."""
    stamp = Attribute.TIME_STAMP_ABSOLUTE
    accessory = numeric(ACCESSORY_HANDLE, codes.PERFUSION, codes.PERCENT, time_stamp=stamp)
    return Configuration(configuration.config_id | _EXTENDED | _CHANGED, (*configuration.objects, accessory))


def _restamped(item: ConfigObject, stamp: Attribute) -> ConfigObject:
    return replace(item, attributes=tuple(_restamped_map(each, stamp) for each in item.attributes))


def _restamped_map(attribute: AvaType, stamp: Attribute) -> AvaType:
    if attribute.attribute_id != Attribute.ATTRIBUTE_VALUE_MAP:
        return attribute
    entries = [
        (stamp, TIME_STAMPS[stamp].octets) if mapped == Attribute.TIME_STAMP_ABSOLUTE else (mapped, octets)
        for mapped, octets in value_map(attribute.attribute_value)
    ]
    return ava(Attribute.ATTRIBUTE_VALUE_MAP, encode_list(tuple(AttrValMapEntry(*entry) for entry in entries)))


_STAMPS = {
    TimeKind.BASE_OFFSET: Attribute.TIME_STAMP_BASE_OFFSET,
    TimeKind.RELATIVE: Attribute.TIME_STAMP_RELATIVE,
    TimeKind.HIGH_RESOLUTION: Attribute.TIME_STAMP_HIGH_RESOLUTION,
}
