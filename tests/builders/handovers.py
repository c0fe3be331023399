"""Care records of calls for tests of hand-overs, with Polish letters in the identity."""

import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from gateway.buffer.care_logs import CareLog
from gateway.buffer.reading import CareRecordSpan
from gateway.crew.handover import Append, HandoverParts, Note
from gateway.epcr.handover.bundle import describe_nothing
from gateway.epcr.handover.handovers import Handovers
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.device_holding import DeviceDecision, read_decision
from protocols.observation import SampleArray, SampleFormat
from protocols.observation_record import ObservationRecord
from protocols.uplink.lanes import Lane
from tests.builders.care_changes import change
from tests.builders.fhir_encounters import KEY, observed

MINUTE_US = 60_000_000
NOW_US = 1_799_975_400_000_000
"""02:10 in Warsaw on 2027-01-15."""
OPENED_US = NOW_US - 40 * MINUTE_US
"""Time at which the records were opened, 01:30."""


def at(time: str) -> str:
    """Return a time of the night of the call, such as "01:43", with the offset of Warsaw."""
    return f"2027-01-15T{time}:00+01:00"


def chest_pain() -> list[FieldChange]:
    """Return the record of a call to a woman with chest pain: two sets of vital signs, one drug, one procedure."""
    rows = (
        ("patient.first_name", "Łucja", None),
        ("patient.last_name", "Żółć", None),
        ("patient.age", "63", None),
        ("patient.age_unit", "2516009", None),
        ("patient.sex", "9919001", None),
        ("patient.national_number", "64022900008", None),
        ("situation.complaint", "Ucisk za mostkiem, promieniuje do lewej ręki", None),
        ("situation.primary_symptom", "R07.4", None),
        ("situation.onset", at("01:20"), None),
        ("situation.acuity", "2813003", None),
        ("times.at_patient", at("01:38"), None),
        ("history.conditions", "I10", None),
        ("vitals.time", at("01:41"), "v1"),
        ("vitals.heart_rate", "118", "v1"),
        ("vitals.spo2", "88", "v1"),
        ("vitals.systolic", "165", "v1"),
        ("vitals.diastolic", "95", "v1"),
        ("vitals.breathing_rate", "24", "v1"),
        ("vitals.avpu", "3326001", "v1"),
        ("vitals.time", at("02:04"), "v2"),
        ("vitals.heart_rate", "92", "v2"),
        ("vitals.spo2", "96", "v2"),
        ("vitals.systolic", "140", "v2"),
        ("vitals.diastolic", "85", "v2"),
        ("vitals.rhythm", "9901053", "v2"),
        ("medications.time", at("01:45"), "m1"),
        ("medications.drug", "1191", "m1"),
        ("medications.dose", "300", "m1"),
        ("medications.dose_unit", "3706021", "m1"),
        ("medications.route", "9927035", "m1"),
        ("procedures.time", at("01:43"), "p1"),
        ("procedures.procedure", "268400002", "p1"),
        ("disposition.destination", "Szpital św. Łukasza", None),
    )
    return [change(key, value, entry=entry, gateway_time_us=OPENED_US) for key, value, entry in rows]


def trauma() -> list[FieldChange]:
    """Return the record of a call to a man after a fall."""
    rows = (
        ("patient.age", "34", None),
        ("patient.sex", "9919003", None),
        ("situation.onset", at("01:20"), None),
        ("times.at_patient", at("01:38"), None),
        ("injury.cause", "W19", None),
        ("injury.mechanism", "2902001", None),
        ("injury.height_of_fall", "10", None),
        ("vitals.time", at("01:41"), "v1"),
        ("vitals.systolic", "85", "v1"),
        ("procedures.procedure", "20655006", "p1"),
    )
    return [change(key, value, entry=entry, gateway_time_us=OPENED_US) for key, value, entry in rows]


DRAWN = "M20 150L60 40L100 150M30 110L90 110M140 150L140 60L200 150L200 60M240 150L560 130"
"""The lines of a drawn signature."""


def signatures() -> list[FieldChange]:
    """Return the signatures of a refusal by the patient, drawn, of the hospital's receiver, drawn, and of a witness who
    did not sign."""
    rows = (
        ("signatures.signer", "4512015", "s1"),
        ("signatures.first_name", "Łucja", "s1"),
        ("signatures.last_name", "Żółć", "s1"),
        ("signatures.reason", "4513021", "s1"),
        ("signatures.status", "4515031", "s1"),
        ("signatures.time", at("01:59"), "s1"),
        (Annotation.SIGNATURE, DRAWN, "s1"),
        ("signatures.signer", "4512005", "s2"),
        ("signatures.last_name", "Nowak", "s2"),
        ("signatures.reason", "4513007", "s2"),
        ("signatures.time", at("02:09"), "s2"),
        (Annotation.SIGNATURE, DRAWN, "s2"),
        ("signatures.signer", "4512019", "s3"),
        ("signatures.status", "4515019", "s3"),
        ("signatures.time", at("02:10"), "s3"),
    )
    return [change(key, value, entry=entry, gateway_time_us=OPENED_US) for key, value, entry in rows]


LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
_RATE_HZ = 250


class ListedSource:
    """Source of hand-overs whose records are lists. `lost`: number of changes of each log that it does not have."""

    def __init__(
        self, changes: Sequence[FieldChange], observations: Sequence[ObservationRecord] = (), *, lost: int = 0
    ) -> None:
        self._changes = list(changes)
        self._observations = observations
        self._lost = lost

    def add(self, changes: Sequence[FieldChange]) -> None:
        self._changes += changes

    async def care_changes(self, encounter: str) -> Sequence[FieldChange]:
        return [each for each in self._changes if each.encounter == encounter]

    async def care_log(self, encounter: str) -> CareLog | None:
        ids = {each.id for each in await self.care_changes(encounter)}
        return CareLog(len(ids) + self._lost, sealed=False)

    async def care_records(self) -> Sequence[CareRecordSpan]:
        spans: dict[str, CareRecordSpan] = {}
        for each in self._changes:
            first_us = spans[each.encounter].first_us if each.encounter in spans else each.gateway_time_us
            spans[each.encounter] = CareRecordSpan(each.encounter, first_us, each.gateway_time_us, 1)
        return list(spans.values())

    async def device_decisions(self) -> Sequence[DeviceDecision]:
        return [decision for each in self._changes if (decision := read_decision(each)) is not None]

    def moment_us(self, decision: DeviceDecision) -> int:
        return decision.decided_us

    async def records(self, lane: Lane, since_us: int, until_us: int) -> AsyncIterator[ObservationRecord]:
        for each in self._observations:
            if each.lane is lane and since_us <= each.observed_at_us <= until_us:
                yield each


def handovers_of(
    changes: Sequence[FieldChange] = (),
    observations: Sequence[ObservationRecord] = (),
    source: ListedSource | None = None,
) -> Handovers:
    """Return the hand-overs of a vehicle with these records, or with another source, at 02:10."""
    found = source or ListedSource(changes, observations)
    return Handovers(found, tenant="ten_test", key=KEY, now_us=lambda: NOW_US, zone=ZoneInfo("Europe/Warsaw"))


async def _store_nothing(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"stored": [each["id"] for each in request["changes"]]}


async def _note_nothing(name: str, encounter: str) -> None:
    pass


def handover_parts(
    changes: Sequence[FieldChange] = (),
    observations: Sequence[ObservationRecord] = (),
    *,
    source: ListedSource | None = None,
    append: Append = _store_nothing,
    note: Note = _note_nothing,
) -> HandoverParts:
    """Return the parts of the hand-over's pages of a vehicle with these records, or with another source."""
    return HandoverParts(
        handovers=handovers_of(changes, observations, source),
        append=append,
        describe=describe_nothing,
        note=note,
        zone=ZoneInfo("Europe/Warsaw"),
    )


def twelve_leads(leads: Sequence[str] = LEADS, *, seconds: int = 12, end_us: int = NOW_US) -> list[ObservationRecord]:
    """Return the waveform of each lead up to `end_us`, in blocks of a second: a spike of 1 mV each second."""
    scale = SampleArray(format=SampleFormat.I16, period_s=1 / _RATE_HZ, slope=0.005, offset=0.0)
    beat = [200 if 60 <= place < 70 else 0 for place in range(_RATE_HZ)]
    samples = struct.pack(f">{len(beat)}h", *beat)
    return [
        observed(
            None,
            type_=f"MDC_ECG_ELEC_POTL_{lead}",
            unit="MDC_DIM_MILLI_VOLT",
            samples=samples,
            array=scale,
            at_us=end_us - (seconds - second) * 1_000_000,
            index=second * len(LEADS) + number,
        )
        for second in range(seconds)
        for number, lead in enumerate(leads)
    ]


def numerics(minutes: int = 30, *, end_us: int = NOW_US) -> list[ObservationRecord]:
    """Return SpO₂ and heart rate of a monitor, each second up to 5 s before `end_us`."""
    found = []
    for second in range(minutes * 60):
        at_us = end_us - 5_000_000 - (minutes * 60 - 1 - second) * 1_000_000
        found.append(observed(90.0 + second % 7, at_us=at_us, index=2 * second))
        rate = observed(
            80.0 + second % 40,
            type_="MDC_ECG_HEART_RATE",
            unit="MDC_DIM_BEAT_PER_MIN",
            at_us=at_us,
            index=2 * second + 1,
        )
        found.append(rate)
    return found
