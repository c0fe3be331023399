"""The items of a timeline: what happened in an encounter, each with its time and its place in the order of time.

Of the care record, only what the projection for partners shows becomes an item. Of events in the vehicle, only the
names and fields listed here are shown: other fields may have a text that a device sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.clinical.devices import GAP_RECORDED, VehicleEvent
from protocols.epcr.projection import VisibleField, VisibleRecord, VisibleStatement
from protocols.observation_record import utc_text

Place = tuple[int, int, str]
"""Position of an item: its time, 0 for an item of the encounter and 1 for an event in the vehicle, and its key."""

CARE_GROUPS = {"procedures": "procedure", "medications": "medication"}
"""Groups of the care record whose entries are items, with the type of the item."""

DEVICE_EVENTS: Mapping[str, tuple[str, ...]] = {
    "device.accepted": (),
    "device.acceptance_ended": (),
    "device.acceptance_revoked": (),
    "device.clock_left": ("off_ms",),
    "device.clock_not_set": (),
    "device.clock_set": ("was_off_ms", "uncertainty_ms"),
    "device.connected": ("unverified",),
    "device.deviation": ("key", "clause"),
    "device.disconnected": (),
    "device.refused_duplicate_id": (),
    "device.refused_unverified_link": (),
    "device.rejected": (),
    "device.value_not_understood": ("characteristic",),
}
"""Events about a device that are shown while it is assigned to the encounter, with the fields that are shown."""

VEHICLE_EVENTS_SHOWN: Mapping[str, tuple[str, ...]] = {
    "clock.estimated": (),
    "clock.learnt": (),
    "clock.lost": (),
    GAP_RECORDED: ("lane", "why", "batches", "observations", "first_at", "last_at"),
    "gateway.started": (),
    "gateway.stopped": (),
    "store.reserve_entered": (),
    "store.reserve_restored": (),
}
"""Events of the vehicle's gateway that are shown while a device that it carries is assigned."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineItem:
    """One item. `device_id` is the device that it is about, if any. `entry` is the pseudonym of an entry of the care
    record, and `void` declares it wrong."""

    at_us: int
    type: str
    key: str
    device_id: str | None = None
    entry: str | None = None
    void: bool = False
    elements: Sequence[Mapping[str, Any]] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    rank: int = 0

    @property
    def place(self) -> Place:
        return self.at_us, self.rank, self.key

    def document(self) -> dict[str, Any]:
        return {
            "at": utc_text(self.at_us),
            "type": self.type,
            "device_id": self.device_id,
            "entry": self.entry,
            "void": self.void,
            "elements": list(self.elements),
            "fields": dict(self.fields),
        }


def care_items(record: VisibleRecord) -> list[TimelineItem]:
    """Return an item for each visible entry of the procedures and medications. Its time is the one that the crew
    stated, or else the time at which the entry was recorded."""
    entries: dict[tuple[str, str], list[VisibleField]] = {}
    for each in record.fields:
        group = each.element.key.partition(".")[0]
        if group in CARE_GROUPS:
            entries.setdefault((group, each.entry), []).append(each)
    return [_care_item(group, entry, fields) for (group, entry), fields in entries.items()]


def _care_item(group: str, entry: str, fields: Sequence[VisibleField]) -> TimelineItem:
    recorded_us = min(one.recorded_us for each in fields for one in each.shown)
    stated_us = _stated_us(f"{group}.time", fields)
    return TimelineItem(
        at_us=recorded_us if stated_us is None else stated_us,
        type=CARE_GROUPS[group],
        key=f"{group}:{entry}",
        entry=entry or None,
        void=any(each.void for each in fields),
        elements=[document for each in fields for document in _elements(each)],
    )


def _stated_us(key: str, fields: Iterable[VisibleField]) -> int | None:
    values = [one.value for each in fields if each.element.key == key for one in each.shown if one.value is not None]
    if not values:
        return None
    moment = datetime.fromisoformat(values[0])
    return None if moment.tzinfo is None else (moment - _EPOCH) // timedelta(microseconds=1)


def _elements(field: VisibleField) -> Iterable[dict[str, Any]]:
    for statements, contradicts in ((field.shown, False), (field.contradicting, True)):
        for one in statements:
            yield _statement(field.element.key, one, contradicts=contradicts)


def _statement(key: str, statement: VisibleStatement, *, contradicts: bool) -> dict[str, Any]:
    return {
        "key": key,
        "value": statement.value,
        "or_more": statement.or_more,
        "negative": statement.negative,
        "not_recorded": statement.not_recorded,
        "contradicts": contradicts,
    }


def event_item(event: VehicleEvent, device_id: str | None) -> TimelineItem:
    """Return the item of an event in the vehicle, which is about this device (None: about none)."""
    shown = DEVICE_EVENTS.get(event.name) or VEHICLE_EVENTS_SHOWN.get(event.name) or ()
    return TimelineItem(
        at_us=event.at_us,
        type=event.name,
        key=event_key(event.lane_id, event.sequence),
        device_id=device_id,
        fields={name: event.fields.get(name) for name in shown},
        rank=1,
    )


def event_key(lane_id: int, sequence: int) -> str:
    """Return the key of an event: as text in the order of its numbers."""
    return f"{lane_id:020}.{sequence:020}"


def event_place(place: Place) -> tuple[int, int, int]:
    """Return the place of a timeline in the order of events: time, lane id and sequence."""
    at_us, rank, key = place
    if not rank:
        return at_us, 0, 0  # lanes of gateways are counted from 1
    lane_id, _, sequence = key.partition(".")
    return at_us, int(lane_id), int(sequence)
