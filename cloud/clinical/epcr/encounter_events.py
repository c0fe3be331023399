"""Emit the events of a changed encounter and of its incident, in the transaction of the change."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloud.clinical.epcr.event_types import ENCOUNTER_CREATED, ENCOUNTER_FINISHED, ENCOUNTER_UPDATED
from cloud.clinical.epcr.model import Encounter
from cloud.clinical.incidents import Incident, Incidents, Part
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.events import SECRECY, Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from protocols.epcr.encounter import EncounterStatus


class EncounterEvents:
    """Emits the events of encounters. The incident is updated first, because the encounter's event needs the id of the
    incident."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._outbox = Outbox(ids)
        self._incidents = Incidents(clock, ids)

    async def emit_created(self, tx: Transaction, encounter: Encounter, *, traceparent: str | None) -> None:
        """Emit the event of a new encounter. Before that, add a dispatched encounter to its incident."""
        part = _part(encounter)
        incident = None if part is None else await self._incidents.add_encounter(tx, part, traceparent=traceparent)
        details = {"from_cad": part is not None, "created_at": write_moment(encounter.created_at_us)}
        await self._emit(tx, ENCOUNTER_CREATED, encounter, incident, details, traceparent)

    async def emit_updated(
        self, tx: Transaction, encounter: Encounter, changed: Sequence[str], *, traceparent: str | None = None
    ) -> None:
        """Emit the event of a changed encounter and, if the encounter has an incident, the event of the incident.
        `changed` are field names."""
        part = _part(encounter)
        incident = None
        if part is not None:
            incident = await self._incidents.update_encounter(tx, part, traceparent=traceparent)
        details = {"changed": list(changed)}
        await self._emit(tx, ENCOUNTER_UPDATED, encounter, incident, details, traceparent)

    async def emit_finished(
        self,
        tx: Transaction,
        encounter: Encounter,
        vehicle_status: EncounterStatus | None,
        *,
        traceparent: str | None = None,
    ) -> None:
        """Emit the event of a finished encounter and, if the encounter has an incident, the event of the incident. Call
        this only once for each encounter. `vehicle_status`: the end that the vehicle's record states."""
        part = _part(encounter)
        incident = None
        if part is not None:
            incident = await self._incidents.finish_encounter(tx, part, traceparent=traceparent)
        details = {"finished_at": write_moment(encounter.ended_at_us), "vehicle_status": vehicle_status}
        await self._emit(tx, ENCOUNTER_FINISHED, encounter, incident, details, traceparent)

    async def _emit(
        self,
        tx: Transaction,
        event_type: str,
        encounter: Encounter,
        incident: Incident | None,
        details: Mapping[str, Any],
        traceparent: str | None = None,
    ) -> None:
        payload = {
            "encounter_id": encounter.id,
            "incident_id": None if incident is None else incident.id,
            "status": encounter.status,
            "care_model": encounter.care_model,
            "vehicle_id": encounter.vehicle_id,
            **details,
            SECRECY: encounter.secrecy_level.word,
        }
        now_us = self._clock.now_us()
        await self._outbox.emit(
            tx, event_type, encounter, key=encounter.id, payload=payload, at_us=now_us, traceparent=traceparent
        )


def _part(encounter: Encounter) -> Part | None:
    if encounter.cad_incident_id is None:
        return None
    return Part(
        tenant_id=encounter.tenant_id,
        organization_id=encounter.organization_id,
        encounter_id=encounter.id,
        cad_incident_id=encounter.cad_incident_id,
        secrecy_level=encounter.secrecy_level,
    )
