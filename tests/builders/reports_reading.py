"""A manager with a known configuration, which reads scan reports and returns their observations."""

from collections.abc import Sequence

from protocols.deviation import Deviation
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ConfigObject, EventType, ObservationScan
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import AttributesReported, MdsChanged, ReportReceived, ReportsLost
from protocols.ieee11073.dim.attribute import ObjectClass
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import periodic_scanner
from protocols.ieee11073.dim.reports import ScanReport
from protocols.ieee11073.mder import encode
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Observation
from tests.builders.ieee11073_apdus import scan_report
from tests.builders.ieee11073_devices import operating_manager


class Read:
    """A manager that receives numbered scan reports; each event is reported to it as delivered.

    `events` are all of its events. For each deviation from the standard among them, `sentences` has the text, and
    `oddities` the kind.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.manager: ManagerAssociation = operating_manager(configuration)
        self.events: list[Event] = []
        self._number = 0

    def __call__(self, report: ScanReport) -> list[Observation]:
        """Receive a report under the next report number; return its observations."""
        octets = scan_report(report, report_no=self._number, invoke_id=self._number)
        self._number += 1
        return self.octets(octets)

    def octets(self, octets: bytes) -> list[Observation]:
        """Receive encoded APDUs; return the observations in them."""
        found: list[Observation] = []
        for event in self.manager.receive(octets, 5.0):
            self.events.append(event)
            if isinstance(event, ReportReceived):
                found += event.observations
            self.manager.delivered(event)
        return found

    @property
    def sentences(self) -> list[str]:
        return [event.sentence for event in self.events if isinstance(event, Deviation)]

    @property
    def oddities(self) -> list[Oddity | None]:
        return [Oddity[event.key.upper()] for event in self.events if isinstance(event, Deviation)]

    @property
    def lost(self) -> list[ReportsLost]:
        return [event for event in self.events if isinstance(event, ReportsLost)]

    @property
    def carried(self) -> list[AttributesReported]:
        return [event for event in self.events if isinstance(event, AttributesReported)]

    @property
    def mds(self) -> list[MdsChanged]:
        return [event for event in self.events if isinstance(event, MdsChanged)]


def variable_of(
    handle: int, *attributes: tuple[int, str], event_type: EventType = EventType.SCAN_REPORT_VAR
) -> ScanReport:
    """Return a scan report in variable format for one object; an attribute is (id, value in hex)."""
    return variable_items((handle, attributes), event_type=event_type)


def variable_items(
    *items: tuple[int, Sequence[tuple[int, str]]], event_type: EventType = EventType.SCAN_REPORT_VAR
) -> ScanReport:
    """Return a scan report in variable format; an item is (handle, attributes), an attribute (id, value in hex)."""
    octets = b"".join(
        encode(ObservationScan(handle, tuple(AvaType(number, bytes.fromhex(value)) for number, value in attributes)))
        for handle, attributes in items
    )
    return ScanReport(
        EventType.SCAN_REPORT_VAR, len(items).to_bytes(2, "big") + len(octets).to_bytes(2, "big") + octets
    )


def with_attributes(item: ConfigObject, *attributes: tuple[int, str]) -> ConfigObject:
    """Return the object with further attributes (id, value in hex), each in place of an attribute with the same id."""
    added = {number: AvaType(number, bytes.fromhex(value)) for number, value in attributes}
    kept = tuple(ava for ava in item.attributes if ava.attribute_id not in added)
    return ConfigObject(item.obj_class, item.obj_handle, (*kept, *added.values()))


def scanner(handle: int, scans: Sequence[ConfigObject], *, episodic: bool) -> ConfigObject:
    """Return an episodic or a periodic scanner whose map lists these objects."""
    made = periodic_scanner(handle, scans, interval_s=1.0)
    return ConfigObject(ObjectClass.EPISODIC_SCANNER, handle, made.attributes) if episodic else made
