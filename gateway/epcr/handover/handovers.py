"""Makes hand-overs: reads the care record and the device values of an encounter, and selects what is stated.

Whose values (DESIGN D16): the values of a vehicle's devices belong to the encounter that holds the devices
(`protocols.epcr.device_holding`). So those of an encounter begin when it takes them, or up to an hour before its record
with the times that it states, but never before the patient of the encounter before it was handed over. They end when
the patient was handed over or when another encounter takes the devices. The values of a record that decides nothing
about the devices, of an earlier release, end when the next record begins.

Values are read in pages and thinned (`protocols.epcr.handover.readings`), so a call of many hours needs no more memory
than a short one. Of the waveforms, only the seconds of the ECG strip are read.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

from gateway.buffer.reading import CareRecordSpan, CareRecordTooLong
from gateway.epcr.handover.source import HandoverSource
from protocols.epcr.device_holding import spans_of
from protocols.epcr.draft import addendum_reasons, is_sealed
from protocols.epcr.encounter import EncounterStatus, stated_status
from protocols.epcr.entries import Entries
from protocols.epcr.handover.arrival import arrival_words
from protocols.epcr.handover.content import HandoverContent, handover_content
from protocols.epcr.handover.ecg import Ecg, ecg_of
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.page import ShownHandover
from protocols.epcr.handover.readings import Reading, ThinnedObservations, readings_of_devices, readings_of_record
from protocols.epcr.handover.twelve_lead import last_blocks, strip_interval
from protocols.epcr.handover.wording import Wording, microseconds_of
from protocols.epcr.projection import VisibleRecord, treatment_record
from protocols.epcr.record import CareRecord, current_record
from protocols.fhir.encounter import EncounterFacts
from protocols.observation_record import ObservationRecord
from protocols.uplink.lanes import Lane

CALL_US_MAX = 24 * 3_600_000_000
"""Longest call whose values are read."""
EARLIER_US_MAX = 3_600_000_000
"""Time before the record was opened from which values are read, if the record states an earlier time."""
AFTER_TRANSFER_US = 300_000_000
"""Time after the transfer of care in which values are still the patient's: the monitor is disconnected last."""
_BEGAN = ("times.unit_notified", "times.en_route", "times.on_scene", "times.at_patient")
TRANSFER_OF_CARE = "4513007"
"""NEMSIS: reason "transfer of patient care" of a signature."""
_SERVICES = {"2205005": "interfacility_transfer", "2205013": "event_medical"}
"""Care model by the code of `call.service_requested`; any other service is an emergency."""
_SECOND_US = 1_000_000


class EncounterTitle(NamedTuple):
    """Complaint, code of the primary symptom and age of an encounter; "" where its record does not state it."""

    complaint: str
    symptom: str
    patient_age: str


class EncounterUnknown(Exception):
    """The gateway has no care record of this encounter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A hand-over as it was at `made_us`. `readings` are those of the crew and of the devices, oldest first.
    `observations` are the device values that the bundle has, and `waveforms` the blocks of the ECG strip. `partial`:
    the gateway has not all changes of the record. `addenda`: why something was added after the signature."""

    encounter: str
    made_us: int
    signed: bool
    partial: bool
    addenda: Sequence[str]
    wording: Wording
    content: HandoverContent
    readings: Sequence[Reading]
    ecg: Ecg | None
    record: VisibleRecord
    facts: EncounterFacts
    observations: Sequence[ObservationRecord]
    waveforms: Sequence[ObservationRecord]
    interval_s: int

    @property
    def shown(self) -> ShownHandover:
        """The part that the page of the hand-over shows."""
        return ShownHandover(
            encounter=self.encounter,
            wording=self.wording,
            content=self.content,
            readings=self.readings,
            ecg=self.ecg,
        )

    @property
    def transferred_at(self) -> str:
        """The time at which the hospital received the patient, as text; empty while the record does not state it."""
        fields = [field for field in self.record.fields if field.element.key == "times.transfer_of_care"]
        return self.wording.field(fields[0]) if fields else ""


class Handovers:
    """Hand-overs of one vehicle. `key` is the secret key for pseudonyms, `now_us` the wall clock in µs since 1970, and
    `zone` the time zone of the times that people read."""

    def __init__(
        self, source: HandoverSource, *, tenant: str, key: bytes, now_us: Callable[[], int], zone: tzinfo
    ) -> None:
        self._source = source
        self._tenant = tenant
        self._key = key
        self._now_us = now_us
        self._zone = zone

    async def encounters(self) -> Sequence[CareRecordSpan]:
        """Return the encounters that can be handed over, the one that was changed last first."""
        return (await self._source.care_records())[::-1]

    async def title(self, encounter: str) -> EncounterTitle:
        """Return by what a crew member distinguishes an encounter from the others; nothing for one that is too long."""
        try:
            changes = await self._source.care_changes(encounter)
        except CareRecordTooLong:
            return EncounterTitle("", "", "")
        stated = Entries(current_record(changes))
        keys = ("situation.complaint", "situation.primary_symptom", "patient.age")
        return EncounterTitle(*(stated.value(key) or "" for key in keys))

    async def is_received(self, encounter: str) -> bool:
        """Return whether the record states that a hospital received the patient."""
        record = current_record(await self._source.care_changes(encounter))
        return any(
            field.name.key == "signatures.reason"
            and field.shown[-1].value == TRANSFER_OF_CARE
            and record.declared_void(field.name) is None
            for field in record.fields
        )

    async def make(self, encounter: str, language: Language, order: Order) -> Handover:
        """Make the hand-over of an encounter. Raises `EncounterUnknown`."""
        # First, so that a change that is stored meanwhile does not count as missing.
        log = await self._source.care_log(encounter)
        changes = await self._source.care_changes(encounter)
        if not changes:
            raise EncounterUnknown
        partial = log is not None and len({each.id for each in changes}) < log.changes
        record, now_us = current_record(changes), self._now_us()
        wording = Wording(language, self._zone, now_us)
        intervals = await self._intervals(encounter, record, changes[0].gateway_time_us, now_us)
        began_us, until_us = intervals[0][0], intervals[-1][1]
        visible = treatment_record(record, key=self._key, encounter=encounter)
        thinned = ThinnedObservations()
        for interval in intervals:
            async for each in self._source.records(Lane.NUMERIC, *interval):
                thinned.add(each)
        channels = thinned.channels()
        readings = [*readings_of_record(visible, wording), *readings_of_devices(channels)]
        readings.sort(key=lambda each: each.at_us)
        waveforms = await self._waveforms(visible, *intervals[-1])
        signed, stated = is_sealed(changes), stated_status(record)
        return Handover(
            encounter=encounter,
            made_us=now_us,
            signed=signed,
            partial=partial,
            addenda=addendum_reasons(changes),
            wording=wording,
            content=handover_content(
                visible,
                readings,
                wording,
                order=order,
                signed=signed,
                partial=partial,
                arrival=arrival_words(changes, wording),
            ),
            readings=readings,
            ecg=None if not waveforms else ecg_of(waveforms, until_us=until_us),
            record=visible,
            facts=EncounterFacts(
                tenant=self._tenant,
                id=encounter,
                organization_id=_value(visible, "call.agency_number") or self._tenant,
                care_model=_SERVICES.get(_value(visible, "call.service_requested"), "prehospital_emergency"),
                status=stated if signed and stated is not None else EncounterStatus.IN_PROGRESS,
                began_us=began_us,
                ended_us=None if stated is None else until_us,
            ),
            observations=sorted((each for records in channels for each in records), key=_order),
            waveforms=waveforms,
            interval_s=thinned.interval_us // _SECOND_US,
        )

    async def _intervals(
        self, encounter: str, record: CareRecord, first_us: int, now_us: int
    ) -> Sequence[tuple[int, int]]:
        """Return the times in which the vehicle's devices measured this patient, oldest first; at least one, which may
        be empty."""
        decisions = await self._source.device_decisions()
        if all(each.encounter != encounter for each in decisions):
            return [await self._interval(encounter, record, first_us, now_us)]
        spans = spans_of(decisions, self._source.moment_us).get(encounter, ())
        found = []
        for number, span in enumerate(spans):
            until_us = now_us if span.last is None else span.last
            if number == 0:  # also what was measured before the record was opened
                began_us, _ = await self._interval(encounter, record, span.first, now_us)
            else:
                began_us = span.first
            if (handed_over := _moment(record, "times.transfer_of_care")) is not None and handed_over >= span.first:
                until_us = min(until_us, handed_over + AFTER_TRANSFER_US)
            found.append((began_us, max(began_us, min(until_us, began_us + CALL_US_MAX))))
        return found or [(first_us, first_us)]

    async def _interval(self, encounter: str, record: CareRecord, first_us: int, now_us: int) -> tuple[int, int]:
        """Return the time in which the vehicle's devices measured the patient of a record that was opened at
        `first_us`."""
        others = [each for each in await self._source.care_records() if each.encounter != encounter]
        stated = [at_us for key in _BEGAN if (at_us := _moment(record, key)) is not None]
        earliest_us = first_us - EARLIER_US_MAX
        began_us = min([first_us, *(at_us for at_us in stated if at_us >= earliest_us)])
        if began_us < first_us:
            began_us = max(began_us, min(first_us, await self._end_of_earlier_us(others, first_us)))
        ends_us = [now_us, began_us + CALL_US_MAX]
        if (handed_over := _moment(record, "times.transfer_of_care")) is not None:
            ends_us.append(handed_over + AFTER_TRANSFER_US)
        ends_us += [each.first_us for each in others if each.first_us > first_us]
        return began_us, max(began_us, min(ends_us))

    async def _end_of_earlier_us(self, others: Sequence[CareRecordSpan], first_us: int) -> int:
        """Return the time until which the devices measured the patient of the encounter that was opened before; 0
        without one. A record may state that its mission began while that patient was still in the vehicle."""
        earlier = max((each for each in others if each.first_us <= first_us), key=_first_us, default=None)
        if earlier is None:
            return 0
        ends_us = [earlier.first_us + CALL_US_MAX]
        record = current_record(await self._source.care_changes(earlier.encounter))
        if (handed_over := _moment(record, "times.transfer_of_care")) is not None:
            ends_us.append(handed_over + AFTER_TRANSFER_US)
        return min(ends_us)

    async def _waveforms(self, record: VisibleRecord, began_us: int, until_us: int) -> list[ObservationRecord]:
        """Return the waveform blocks of the last 12-lead ECG that the record states, otherwise of the last seconds."""
        since_us, until_us = strip_interval(record, began_us, until_us)
        kept: list[ObservationRecord] = []
        async for each in self._source.records(Lane.WAVEFORM, since_us, until_us):
            kept.append(each)
            if len(kept) % 1_024 == 0:
                kept = last_blocks(kept)
        return last_blocks(kept)


def pseudonym_key(store_key: bytes) -> bytes:
    """Derive the key for pseudonyms of hand-overs, 32 bytes, from the store's key. The tenant's own key stays in the
    cloud: a stolen vehicle must not reveal the patients of a tenant."""
    return hmac.digest(store_key, b"argus hand-over pseudonyms v1", hashlib.sha256)


def _first_us(span: CareRecordSpan) -> int:
    return span.first_us


def _order(record: ObservationRecord) -> tuple[int, int, int]:
    return record.observed_at_us, record.sequence, record.index


def _value(record: VisibleRecord, key: str) -> str:
    found = (field.shown[0].value for field in record.fields if field.element.key == key)
    return next(found, None) or ""


def _moment(record: CareRecord, key: str) -> int | None:
    """Return a stated time in µs since 1970; None where there is none that can be read."""
    for field in record.fields:
        if field.name.key == key and (value := field.shown[0].value) is not None:
            try:
                return microseconds_of(value)
            except (ValueError, OverflowError, TypeError):
                return None
    return None
