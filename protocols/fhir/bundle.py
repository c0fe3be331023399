"""The transaction bundle of an encounter, in parts.

    bundle = EncounterBundle(facts, record)
    part = bundle.part(is_first=True)          # has the patient and the encounter; the first one also the care record
    while records and not part.is_full:
        part.add(record, device_facts)         # the observation, with its device, gateway, metric and time stamp
    data = part.encoded(next_url)

Each part is a valid bundle of its own: it repeats what its observations refer to. Servers create nothing twice, since
each entry is created only if its identifier does not exist (`ids`). So a part may be posted again, and parts in any
order."""

import orjson

from protocols.epcr.element import Audience
from protocols.epcr.projection import VisibleRecord
from protocols.fhir.care_entries import CareEntries
from protocols.fhir.composition import PRELIMINARY, ReportState, composition
from protocols.fhir.datatypes import Json, encoded, meta
from protocols.fhir.devices import (
    ClockReading,
    CoincidentTimeStamps,
    DeviceEntries,
    DeviceFacts,
    SentTime,
    clock_reading,
)
from protocols.fhir.encounter import EncounterEntry, EncounterFacts
from protocols.fhir.ids import ResourceIds
from protocols.fhir.number_series import NumberSeries
from protocols.fhir.observations import ObservationEntries, Origin
from protocols.fhir.patient import PatientEntry
from protocols.fhir.resource_line import resource_line
from protocols.ieee11073.nomenclature import Code
from protocols.observation_record import ObservationRecord

ENTRIES_MAX = 5_000
"""Entries of a part. Servers refuse or time out on larger transactions, each of whose entries they look up and index.
The first part is larger if the care record alone is."""
PART_BYTES_MAX = 12 << 20
"""Size at which a part is full, for waveforms, whose entries may have some hundred kilobytes: a part of 5 000 numerics
has 10 MB. A part in the making takes twice as much memory."""


class EncounterBundle:
    """The bundle of one encounter, for the audience of its record. `narrative`: the text of the Composition, an XHTML
    div with the content of the whole record; empty: the Composition has none. `state`: the status of the
    Composition."""

    def __init__(
        self, facts: EncounterFacts, record: VisibleRecord, *, narrative: str = "", state: ReportState = PRELIMINARY
    ) -> None:
        self._facts = facts
        self._state = state
        self._narrative = narrative
        self._record = record
        self._ids = ResourceIds(facts.tenant)
        self._patient = PatientEntry(self._ids, record)
        self._encounter = EncounterEntry(self._ids, record.audience, facts)

    @property
    def record_values(self) -> int:
        """The number of values of the care record, also of those that may not leave."""
        return len(self._record.fields) + self._record.withheld

    def part(
        self,
        *,
        is_first: bool,
        entries_max: int = ENTRIES_MAX,
        bytes_max: int = PART_BYTES_MAX,
        as_lines: bool = False,
    ) -> "BundlePart":
        """Return a part without observations. The first part has the care record and its Composition. `as_lines`: it
        has lines (`resource_line`) instead of entries, which `take` returns."""
        patient, encounter, record = self._patient.id, self._encounter.id, self._record
        entries = [self._patient.entry(), self._encounter.entry(patient, record)]
        if is_first:
            care = CareEntries(
                self._ids, record.audience, encounter_id=self._facts.id, patient=patient, encounter=encounter
            )
            resources = list(care.resources(record))
            made = composition(
                self._ids,
                self._facts,
                record,
                resources,
                patient=patient,
                encounter=encounter,
                narrative=self._narrative,
                state=self._state,
            )
            entries += [made, *(one.entry for one in resources)]
        return BundlePart(
            self._ids,
            [resource_line(one) for one in encoded(entries)] if as_lines else encoded(entries),
            ObservationEntries(self._ids, record.audience, patient=patient, encounter=encounter, as_lines=as_lines),
            DeviceEntries(self._ids, record.audience),
            record.audience,
            entries_max,
            bytes_max,
            as_lines=as_lines,
        )


class BundlePart:
    """One part of a bundle, to which observations are added until it is full."""

    def __init__(
        self,
        ids: ResourceIds,
        entries: list[str],
        observations: ObservationEntries,
        devices: DeviceEntries,
        audience: Audience,
        entries_max: int,
        bytes_max: int,
        *,
        as_lines: bool,
    ) -> None:
        self._as_lines = as_lines
        self._ids = ids
        self._entries = entries
        self._size = sum(map(len, entries))
        self._observations = observations
        self._devices = devices
        self._audience = audience
        self._entries_max, self._bytes_max = entries_max, bytes_max
        self._written: set[str] = set()
        self._devices_kept: list[DeviceFacts] = []
        self._origins: dict[tuple[int, str | None, str, str], Origin] = {}
        self._metrics: dict[tuple[Origin, int, Code, Code | None], str] = {}
        self._clocks: dict[tuple[str, str, ClockReading], str] = {}

    @property
    def is_full(self) -> bool:
        return len(self._entries) >= self._entries_max or self._size >= self._bytes_max

    def take(self) -> list[str]:
        """Return the lines or entries that were added since the last call, and forget their text. What they refer to is
        not added again."""
        taken, self._entries, self._size = self._entries, [], 0
        return taken

    def add(
        self,
        record: ObservationRecord,
        device: DeviceFacts,
        *,
        posted: str = "",
        name: str = "",
        unit: str = "",
    ) -> None:
        """Add an observation with what it refers to. `device` is the same object for all observations of a device.
        `posted`, `name` and `unit` are the id, code and unit of an observation that an application posted."""
        origin, metric = self._refer(record, device, name, unit)
        coincident = None
        if (time := record.device_time) is not None:
            sent = SentTime(time, record.device_local_us)
            coincident = self._coincident(origin, sent, record.observed_at_us, record.received_at_us)
        self._append(self._observations.entry(record, origin, metric=metric, coincident=coincident, posted=posted))

    def series(self, record: ObservationRecord, device: DeviceFacts) -> NumberSeries:
        """Return the series of an observation of a gateway whose value is a number, and add what the series refers to.
        The observation itself is added like the others of the series, by `add_number`."""
        origin, metric = self._refer(record, device)
        return NumberSeries(self._observations, record, origin, metric)

    def add_number(
        self,
        series: NumberSeries,
        sequence: int,
        index: int,
        number: float,
        *,
        observed_at_us: int,
        received_at_us: int,
        sent: SentTime | None,
    ) -> None:
        """Add an observation of a series of this part, with the fields of its `ObservationRecord`. `sent` is the
        device's time, if it sent one."""
        coincident = None
        if sent is not None:
            coincident = self._coincident(series.origin, sent, observed_at_us, received_at_us)
        entry = series.write(sequence, index, observed_at_us, number, coincident)
        self._entries.append(entry)
        self._size += len(entry)

    def encoded(self, next_url: str | None = None) -> bytes:
        """Return the bundle. `next_url` is the address of the next part, None for the last one."""
        labels = meta(self._audience)
        head: Json = {"resourceType": "Bundle", **({"meta": labels} if labels else {}), "type": "transaction"}
        if next_url is not None:
            head["link"] = [{"relation": "next", "url": next_url}]
        return orjson.dumps(head)[:-1] + b',"entry":[' + ",".join(self._entries).encode() + b"]}"

    def _refer(
        self, record: ObservationRecord, device: DeviceFacts, name: str = "", unit: str = ""
    ) -> tuple[Origin, str]:
        """Return the origin of an observation and the id of its metric. Add both with the first observation."""
        origin = self._origin(record.gateway or None, device, name, unit)
        channel = origin, record.handle, record.type, record.unit
        if (metric := self._metrics.get(channel)) is None:
            self._once(self._devices.metric(record, origin.device, name=name, unit=unit))
            metric = self._devices.metric_id(record, origin.device, name=name, unit=unit)
            self._metrics[channel] = metric
        return origin, metric

    def _origin(self, gateway: str | None, device: DeviceFacts, name: str, unit: str) -> Origin:
        key = id(device), gateway, name, unit
        if (known := self._origins.get(key)) is not None:
            return known
        self._devices_kept.append(device)  # so that its identity stays its own
        self._once(self._devices.device(device))
        gateway_id = None
        if gateway is not None:
            self._once(self._devices.gateway(gateway))
            gateway_id = self._devices.gateway_id(gateway)
        return self._origins.setdefault(key, Origin(self._devices.device_id(device), gateway_id, name, unit))

    def _coincident(self, origin: Origin, sent: SentTime, observed_at_us: int, received_at_us: int) -> str | None:
        reading = clock_reading(sent, observed_at_us, received_at_us)
        if reading is None or origin.gateway is None:
            return None
        key = origin.device, origin.gateway, reading
        if (known := self._clocks.get(key)) is None:
            stamps = CoincidentTimeStamps(self._ids, self._audience, device=origin.device, gateway=origin.gateway)
            self._once(stamps.entry(reading, sent, observed_at_us))
            known = self._clocks[key] = stamps.id_of(reading)
        return known

    def _once(self, entry: Json) -> None:
        """Add an entry unless this part has it."""
        if entry["fullUrl"] not in self._written:
            self._written.add(entry["fullUrl"])
            (text,) = encoded([entry])
            self._append(resource_line(text) if self._as_lines else text)

    def _append(self, entry: str) -> None:
        self._entries.append(entry)
        self._size += len(entry)
