"""Open, update and close incidents when their encounters change, in the transaction of that change.

An incident's status follows from its encounters, so incidents have no routes; `cloud/clinical/epcr` calls this module.
The incident's row is locked before it is read. So only one of two encounters that end at the same time closes the
incident.
"""

from collections.abc import Sequence
from dataclasses import replace

from cloud.clinical.incidents.event_types import INCIDENT_CLOSED, INCIDENT_CREATED, INCIDENT_UPDATED
from cloud.clinical.incidents.model import Change, Incident, IncidentStatus, Part
from cloud.clinical.incidents.store import IncidentStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.events import SECRECY, Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Viewer


class Incidents:
    """Apply the changes of encounters to their incidents, and list incidents."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._outbox = Outbox(ids)
        self._store = IncidentStore()

    async def add_encounter(self, tx: Transaction, part: Part, *, traceparent: str | None = None) -> Incident:
        """Add a new encounter to its incident, which is opened, updated or reopened; return the incident."""
        now_us = self._clock.now_us()
        opened = Incident(
            tenant_id=part.tenant_id,
            id=self._ids.new("inc"),
            organization_id=part.organization_id,
            cad_incident_id=part.cad_incident_id,
            status=IncidentStatus.OPEN,
            secrecy_level=part.secrecy_level,
            encounters=1,
            open_encounters=1,
            opened_at_us=now_us,
            updated_at_us=now_us,
            closed_at_us=None,
        )
        known = await self._store.of_part(tx, part)
        if known is None and await self._store.add(tx, opened):
            await self._emit(tx, INCIDENT_CREATED, opened, Change.OPENED, part, traceparent)
            return opened
        known = known or await self._store.of_part(tx, part)
        assert known is not None, "the transaction that opened it has committed by now"
        was_open = known.status is IncidentStatus.OPEN
        joined = replace(
            known,
            status=IncidentStatus.OPEN,
            encounters=known.encounters + 1,
            open_encounters=known.open_encounters + 1,
            closed_at_us=None,
        )
        change = Change.ENCOUNTER_ADDED if was_open else Change.REOPENED
        return await self._write(tx, INCIDENT_UPDATED, joined, change, part, traceparent)

    async def update_encounter(self, tx: Transaction, part: Part, *, traceparent: str | None = None) -> Incident | None:
        """Record that an encounter was changed, but not finished. Return the encounter's incident, or None if there is
        none."""
        known = await self._store.of_part(tx, part)
        if known is None:
            return None
        return await self._write(tx, INCIDENT_UPDATED, known, Change.ENCOUNTER_UPDATED, part, traceparent)

    async def finish_encounter(self, tx: Transaction, part: Part, *, traceparent: str | None = None) -> Incident | None:
        """Record that an encounter is finished, and close the incident when no open encounter is left. Return the
        incident; None if the encounter has none. Call this only once for each encounter."""
        known = await self._store.of_part(tx, part)
        if known is None:
            return None
        open_encounters = known.open_encounters - 1
        finished = replace(known, open_encounters=open_encounters)
        if open_encounters:
            return await self._write(tx, INCIDENT_UPDATED, finished, Change.ENCOUNTER_FINISHED, part, traceparent)
        closed = replace(finished, status=IncidentStatus.CLOSED)
        return await self._write(tx, INCIDENT_CLOSED, closed, Change.ENCOUNTER_FINISHED, part, traceparent)

    async def list(self, database: Database, viewer: Viewer, *, count: int) -> Sequence[Incident]:
        """Return the newest incidents that the viewer may see, newest first, at most `count`."""
        async with database.read() as tx:
            return await self._store.list(tx, viewer, count=count)

    async def _write(
        self, tx: Transaction, event_type: str, incident: Incident, change: Change, part: Part, traceparent: str | None
    ) -> Incident:
        now_us = self._clock.now_us()
        incident = replace(
            incident,
            updated_at_us=now_us,
            closed_at_us=now_us if incident.status is IncidentStatus.CLOSED else None,
            secrecy_level=max(incident.secrecy_level, part.secrecy_level),
        )
        await self._store.replace(tx, incident)
        await self._emit(tx, event_type, incident, change, part, traceparent)
        return incident

    async def _emit(
        self, tx: Transaction, event_type: str, incident: Incident, change: Change, part: Part, traceparent: str | None
    ) -> None:
        payload = {
            "incident_id": incident.id,
            "cad_incident_id": incident.cad_incident_id,
            "status": incident.status,
            "change": change,
            "encounter_id": part.encounter_id,
            "encounters": incident.encounters,
            "open_encounters": incident.open_encounters,
            "opened_at": write_moment(incident.opened_at_us),
            "updated_at": write_moment(incident.updated_at_us),
            "closed_at": write_moment(incident.closed_at_us),
            SECRECY: incident.secrecy_level.word,
        }
        at_us = incident.updated_at_us
        await self._outbox.emit(
            tx, event_type, incident, key=incident.id, payload=payload, at_us=at_us, traceparent=traceparent
        )
