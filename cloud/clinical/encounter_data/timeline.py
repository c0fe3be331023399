"""Read the timeline of an encounter: assignments of devices, procedures, medications, and events in the vehicle.

The items of the encounter itself are few and are computed for each page. Events in the vehicle are searched by device
and by vehicle, in the time in which the devices were assigned, a page at a time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from cloud.clinical.assignments import Assignments
from cloud.clinical.devices import Devices, EventSearch, VehicleEvents
from cloud.clinical.encounter_data.page import Page
from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.encounter_data.timeline_items import (
    DEVICE_EVENTS,
    VEHICLE_EVENTS_SHOWN,
    Place,
    TimelineItem,
    care_items,
    event_item,
    event_place,
)
from cloud.clinical.epcr import Encounter, Encounters, EncounterUnknown, VisibleRecords
from cloud.clinical.observations import TIME_MAX_US, EncounterSource, sources_of_encounter
from cloud.foundation.db import Database, Transaction
from cloud.foundation.viewer import Viewer


@dataclass(frozen=True, slots=True)
class _Search:
    """A search for events. `device_id` is the device that they are about, None for events of the gateway."""

    wanted: EventSearch
    device_id: str | None


class EncounterTimeline:
    """Reads timelines."""

    def __init__(self, database: Database, devices: Devices, records: VisibleRecords, events: VehicleEvents) -> None:
        self._database = database
        self._encounters = Encounters()
        self._devices = devices
        self._assignments = Assignments(devices)
        self._records = records
        self._events = events

    async def page(self, viewer: Viewer, encounter_id: str, wanted: Wanted, *, after: Place | None, limit: int) -> Page:
        """Return the items after a place (None: from the first), at most `limit`. Raises `EncounterUnknown`."""
        async with self._database.read() as tx:
            encounter = await self._encounters.find(tx, viewer, encounter_id)
            if encounter is None:
                raise EncounterUnknown
            own = await self._own_items(tx, viewer, encounter)
            found = [one for one in own if _is_due(one, wanted, after)]
            sources = await sources_of_encounter(tx.driver.rows, viewer, encounter_id)
            known: set[Place] = set()
            for search in _searches(sources, wanted, after, limit + 1):
                for event in await self._events.search(tx, viewer, search.wanted):
                    item = event_item(event, search.device_id)
                    if item.place not in known:  # a device may be two sources of one vehicle
                        known.add(item.place)
                        found.append(item)
        found.sort(key=lambda one: one.place)
        page = found[:limit]
        lines = [orjson.dumps(one.document()).decode() for one in page]
        return Page(lines, page[-1].place if len(found) > limit else None)

    async def _own_items(self, tx: Transaction, viewer: Viewer, encounter: Encounter) -> list[TimelineItem]:
        """Return the items that are not events in the vehicle."""
        items = [TimelineItem(at_us=encounter.created_at_us, type="encounter.created", key="encounter")]
        for one in await self._assignments.list(tx, viewer, encounter_id=encounter.id):
            device = await self._devices.find(tx, viewer, one.device_id, hidden=True)
            if one.voided_at_us is not None or device is None:
                continue
            about: dict[str, Any] = {
                "device_id": device.merged_into or device.id,
                "fields": {"assignment_id": one.id},
            }
            items.append(TimelineItem(at_us=one.from_us, type="device.assigned", key=f"assigned:{one.id}", **about))
            if one.until_us is not None:
                released = TimelineItem(at_us=one.until_us, type="device.released", key=f"released:{one.id}", **about)
                items.append(released)
        return items + care_items(await self._records.for_partners(tx, encounter))


def _is_due(item: TimelineItem, wanted: Wanted, after: Place | None) -> bool:
    return (
        (after is None or item.place > after)
        and (wanted.since_us is None or item.at_us >= wanted.since_us)
        and (wanted.until_us is None or item.at_us < wanted.until_us)
    )


def _searches(sources: Iterable[EncounterSource], wanted: Wanted, after: Place | None, limit: int) -> Sequence[_Search]:
    """Return the searches for the events of the sources' devices, and for those of the vehicles that carried them."""
    base = EventSearch(limit=limit, after=None if after is None else event_place(after))
    carried = [source for source in sources if source.vehicle_id is not None]
    found = [
        _Search(
            replace(
                base,
                vehicle_id=source.vehicle_id,
                device=source.device.system_id,
                names=tuple(DEVICE_EVENTS),
                since_us=source.from_us,
                until_us=source.until_us,
            ),
            source.device_id,
        )
        for source in carried
    ]
    for vehicle_id, from_us, until_us in _times_of_vehicles(carried):
        of_vehicle = replace(base, vehicle_id=vehicle_id, names=tuple(VEHICLE_EVENTS_SHOWN))
        found.append(_Search(replace(of_vehicle, since_us=from_us, until_us=until_us), None))
    return [cut for one in found if (cut := _cut(one, wanted)) is not None]


def _times_of_vehicles(sources: Iterable[EncounterSource]) -> list[tuple[str, int, int]]:
    """Return the intervals in which each vehicle carried an assigned device; overlapping ones are joined."""
    joined: list[tuple[str, int, int]] = []
    for vehicle_id, from_us, until_us in sorted((one.vehicle_id or "", one.from_us, one.until_us) for one in sources):
        if joined and joined[-1][0] == vehicle_id and from_us <= joined[-1][2]:
            joined[-1] = vehicle_id, joined[-1][1], max(joined[-1][2], until_us)
        else:
            joined.append((vehicle_id, from_us, until_us))
    return joined


def _cut(search: _Search, wanted: Wanted) -> _Search | None:
    """Return the part of a search that is in the selected time; None if there is none."""
    since_us, until_us = search.wanted.since_us or 0, search.wanted.until_us or TIME_MAX_US
    since_us = since_us if wanted.since_us is None else max(since_us, wanted.since_us)
    until_us = until_us if wanted.until_us is None else min(until_us, wanted.until_us)
    if since_us >= until_us:
        return None
    return replace(search, wanted=replace(search.wanted, since_us=since_us, until_us=until_us))
