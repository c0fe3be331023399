"""The domain information model: the objects of a device, and the conversion of their values to observations and
reports."""

from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration, is_standard
from protocols.ieee11073.dim.identity import DeviceIdentity
from protocols.ieee11073.dim.objects import compound, enumeration, episodic_scanner, numeric, periodic_scanner, waveform
from protocols.ieee11073.dim.report_values import FullEnumeration, FullNumeric
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, grouped_report, variable_report

__all__ = [
    "Attribute",
    "Configuration",
    "DeviceIdentity",
    "FullEnumeration",
    "FullNumeric",
    "ObjectClass",
    "Reading",
    "ScanReport",
    "compound",
    "enumeration",
    "episodic_scanner",
    "fixed_report",
    "grouped_report",
    "is_standard",
    "numeric",
    "periodic_scanner",
    "variable_report",
    "waveform",
]
