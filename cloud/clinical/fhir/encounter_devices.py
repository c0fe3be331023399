"""The devices whose observations belong to an encounter, each with the time in which they may.

A device belongs to an encounter by an assignment (DESIGN D16), or because an application named the encounter when it
posted an observation. Devices that are not enrolled are included: a value of the patient that is assigned to the
encounter must not be missing at the hospital because of an enrolment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from cloud.clinical.assignments import Assignments
from cloud.clinical.devices import Device, Devices, read_descriptions_near
from cloud.clinical.epcr import Encounter
from cloud.clinical.observations import observation_sources, observations
from cloud.foundation.db import Transaction
from cloud.foundation.viewer import Viewer, visible
from protocols.device_description import DeviceDescription


@dataclass(frozen=True, slots=True)
class EncounterDevice:
    """A device, and the time from `from_us` until before `until_us` (None: no end) that has all its observations of the
    encounter. `described` has its descriptions by itself in that time: over verified links (False) and over others
    (True)."""

    device: Device
    from_us: int
    until_us: int | None
    described: Mapping[bool, DeviceDescription]


class EncounterDevices:
    """Reads the devices of encounters."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._assignments = Assignments(devices)

    async def read(self, tx: Transaction, viewer: Viewer, encounter: Encounter) -> Sequence[EncounterDevice]:
        """Return the devices of an encounter that the viewer may see, by id. A merged device is the one that it was
        merged into. The caller must have checked that the viewer may see the encounter."""
        spans: dict[str, tuple[int, int | None]] = {}
        found: dict[str, Device] = {}
        for device_id, from_us, until_us in await self._spans(tx, viewer, encounter.id):
            device = await self._owner(tx, viewer, device_id)
            if device is not None:
                found[device.id] = device
                spans[device.id] = _joined(spans.get(device.id), from_us, until_us)
        return [
            EncounterDevice(found[id_], *spans[id_], await self._described(tx, viewer, id_, *spans[id_]))
            for id_ in sorted(found)
        ]

    async def _described(
        self, tx: Transaction, viewer: Viewer, device_id: str, from_us: int, until_us: int | None
    ) -> Mapping[bool, DeviceDescription]:
        """Return how a device described itself when the encounter began or, if that is not known, first in it. A
        firmware that was installed later is not that of the values."""
        times = await read_descriptions_near(tx, viewer, device_id, from_us, until_us)
        valid = {unverified: times.valid_at(from_us, unverified=unverified) for unverified in (False, True)}
        return {unverified: one.description.values for unverified, one in valid.items() if one is not None}

    async def _spans(self, tx: Transaction, viewer: Viewer, encounter_id: str) -> list[tuple[str, int, int | None]]:
        assigned = [
            (one.device_id, one.from_us, one.until_us)
            for one in await self._assignments.list(tx, viewer, encounter_id=encounter_id)
            if one.voided_at_us is None
        ]
        at_us = observations.c.observed_at_us
        posted = (
            select(observation_sources.c.device_id, func.min(at_us).label("first_us"), func.max(at_us).label("last_us"))
            .join(observations, observations.c.source_id == observation_sources.c.source_id)
            .where(*visible(observation_sources, viewer), observations.c.encounter_id == encounter_id)
            .group_by(observation_sources.c.device_id)
        )
        rows = await tx.execute(posted)
        return assigned + [(row.device_id, row.first_us, row.last_us + 1) for row in rows]

    async def _owner(self, tx: Transaction, viewer: Viewer, device_id: str) -> Device | None:
        device = await self._devices.find(tx, viewer, device_id, hidden=True)
        if device is None or device.merged_into is None:
            return device
        return await self._devices.find(tx, viewer, device.merged_into, hidden=True)


def _joined(known: tuple[int, int | None] | None, from_us: int, until_us: int | None) -> tuple[int, int | None]:
    if known is None:
        return from_us, until_us
    first_us, last_us = known
    return min(first_us, from_us), None if until_us is None or last_us is None else max(last_us, until_us)
