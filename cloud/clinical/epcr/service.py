"""Begin encounters, and summarise them for partners. `mission` changes and ends them.

A dispatch system may send a request twice: after a lost response, or from two servers. The same incident with the same
vehicle is one encounter, so both requests get that encounter (contract A-102). A unique index ensures this.
"""

from collections.abc import Callable, Mapping, Sequence

from cloud.access.audit import Audit
from cloud.access.tenancy import TenancyStore
from cloud.clinical.epcr.crew import checked_crew
from cloud.clinical.epcr.encounter_events import EncounterEvents
from cloud.clinical.epcr.errors import (
    CadIncidentMalformed,
    EncounterTaken,
    EncounterUnknown,
)
from cloud.clinical.epcr.evidence import EncounterEvidence
from cloud.clinical.epcr.mission import check_vehicle, state_of
from cloud.clinical.epcr.mission_outbox import MissionOutbox
from cloud.clinical.epcr.model import Begun, CareModel, Dispatch, Encounter, EncounterSummary
from cloud.clinical.epcr.recent_counts import CountObservations
from cloud.clinical.epcr.store import Crew, Encounters
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.http import IdempotentReply, Response
from cloud.foundation.ids import Ids, checked_id
from cloud.foundation.readable import hidden_character
from cloud.foundation.supplies import Need
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer
from protocols.epcr.encounter import EncounterStatus
from protocols.provenance.transcript import Operation

CAD_INCIDENT_LENGTH_MAX = 128
CREW_MAX = 32
"""Largest crew of an encounter: more people than the largest vehicle carries."""

COUNT_OBSERVATIONS: Need[CountObservations] = Need("count the observations of an encounter")


class Epcr:
    """Operations on encounters. If `count_observations` is None, as on the command line, a summary reports 0
    observations. If `evidence` is None, operations are not recorded in the evidence of encounters. `outbox` writes the
    missions of vehicles; None, as for imports: no vehicle is informed."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        count_observations: CountObservations | None = None,
        *,
        evidence: EncounterEvidence | None = None,
        outbox: MissionOutbox | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._count_observations = count_observations
        self._evidence = evidence
        self._outbox = outbox
        self._encounters = Encounters()
        self._crew = Crew()
        self._events = EncounterEvents(clock, ids)
        self._tenancy = TenancyStore()
        self._audit = Audit(clock)

    async def begin(
        self,
        actor: Actor,
        *,
        organization_id: str,
        vehicle_id: str | None = None,
        care_model: CareModel = CareModel.PREHOSPITAL_EMERGENCY,
        id: str | None = None,
    ) -> Encounter:
        """Begin an encounter without a dispatch. `id` None: an id is generated. Raises `OrganizationUnknown`,
        `EncounterVehicleUnknown`, `EncounterTaken`."""
        encounter = self._new(actor, Dispatch(organization_id, care_model, vehicle_id), id=id)
        async with self._database.transaction() as tx:
            await check_vehicle(tx, self._tenancy, actor, organization_id, vehicle_id)
            if id is not None and await self._encounters.was_erased(tx, actor.tenant_id, encounter.id):
                raise EncounterTaken("(It was erased.)")
            if not await self._encounters.add(tx, encounter):
                raise EncounterTaken(f"(encounter {encounter.id})")
            await self._report_created(tx, actor, encounter, {})
            await self._audit.record(tx, actor, "encounter.begin", encounter.id, metadata=state_of(encounter))
        return encounter

    async def dispatch(self, actor: Actor, dispatch: Dispatch) -> Begun:
        """Begin the encounter of a dispatch, or return the existing one when the dispatch is a repetition. Raises
        `OrganizationUnknown`, `EncounterVehicleUnknown`, `CrewMemberUnknown`, `CadIncidentMalformed` and
        `EncounterTaken`."""
        async with self._database.transaction() as tx:
            begun = await self.dispatch_in(tx, actor, dispatch)
        self._signal()
        return begun

    async def dispatch_once(
        self, actor: Actor, dispatch: Dispatch, once: IdempotentReply, respond: Callable[[Begun], Response]
    ) -> Response:
        """Return the response that is stored for the idempotency key, or else begin or find the encounter of the
        dispatch and store the response that `respond` makes. Raises `OrganizationUnknown`, `EncounterVehicleUnknown`,
        `CrewMemberUnknown`, `CadIncidentMalformed`, `EncounterTaken`, `IdempotencyKeyReused`, `IdempotencyKeyInFlight`.
        """
        async with self._database.transaction() as tx:
            replay = await once.replay(tx)
            if replay is not None:
                return replay
            response = await once.store(tx, respond(await self.dispatch_in(tx, actor, dispatch)))
        self._signal()
        return response

    async def dispatch_in(
        self, tx: Transaction, actor: Actor, dispatch: Dispatch, *, job_id: str | None = None
    ) -> Begun:
        """Begin or find the encounter of a dispatch in a transaction of the caller, with the errors of `dispatch`.
        `job_id` is the job that does it; None for a request."""
        begun = await self._begin(tx, actor, dispatch, job_id)
        await self._audit.record(tx, actor, "encounter.begin", begun.encounter.id, metadata={"created": begun.created})
        return begun

    def _signal(self) -> None:
        if self._outbox is not None:
            self._outbox.signal()

    async def _begin(self, tx: Transaction, actor: Actor, dispatch: Dispatch, job_id: str | None) -> Begun:
        encounter = self._new(actor, dispatch)
        organization_id = encounter.organization_id
        await check_vehicle(tx, self._tenancy, actor, organization_id, encounter.vehicle_id)
        if await self._encounters.add(tx, encounter):
            crew_ids = await checked_crew(tx, self._crew, actor, organization_id, dispatch.crew_ids)
            await self._encounters.add_crew(tx, encounter, crew_ids)
            await self._report_created(tx, actor, encounter, dispatch.call, job_id=job_id)
            return Begun(encounter, created=True)
        assert encounter.cad_incident_id is not None, "a generated id is not taken"
        found = await self._encounters.of_incident(
            tx, actor, organization_id, encounter.cad_incident_id, encounter.vehicle_id
        )
        if found is None:  # it exists, but above the caller's clearance
            raise EncounterTaken
        return Begun(found, created=False)

    async def _report_created(
        self,
        tx: Transaction,
        actor: Actor,
        encounter: Encounter,
        call: Mapping[str, str],
        *,
        job_id: str | None = None,
    ) -> None:
        """Emit the event of a new encounter, begin its evidence, and write the mission of its vehicle."""
        await self._events.emit_created(tx, encounter, traceparent=actor.traceparent)
        if self._evidence is not None:
            await self._evidence.append(tx, actor, encounter, Operation.CREATE, job_id=job_id)
        if self._outbox is not None:
            incident = encounter.cad_incident_id
            number = {} if incident is None else {"call.incident_number": incident}
            await self._outbox.put(tx, encounter, {**number, **call})

    async def is_crew(self, tx: Transaction, viewer: Viewer, encounter: Encounter, crew_ids: Sequence[str]) -> bool:
        """Return whether these ids are the crew of an encounter. Raises `CrewMemberUnknown` for an id outside of its
        organisation's register."""
        known = await checked_crew(tx, self._crew, viewer, encounter.organization_id, crew_ids)
        return set(known) == await self._encounters.crew_ids(tx, encounter)

    async def summary(self, viewer: Viewer, encounter_id: str) -> EncounterSummary:
        """Return an encounter's summary. Raises `EncounterUnknown`, also for an encounter of another organisation."""
        found = await self._encounters.look_up(self._database.peek, viewer, encounter_id)
        if found is None:
            raise EncounterUnknown
        encounter, crew_count = found
        count = self._count_observations
        observation_count = 0 if count is None else await count(self._database, viewer, encounter.id)
        return EncounterSummary(encounter, crew_count, observation_count)

    async def list(self, viewer: Viewer) -> Sequence[Encounter]:
        async with self._database.read() as tx:
            return await self._encounters.list(tx, viewer)

    def _new(self, actor: Actor, dispatch: Dispatch, *, id: str | None = None) -> Encounter:
        incident = dispatch.cad_incident_id
        return Encounter(
            tenant_id=actor.tenant_id,
            id=self._ids.new("enc") if id is None else checked_id(id),
            organization_id=dispatch.organization_id,
            vehicle_id=dispatch.vehicle_id,
            care_model=dispatch.care_model,
            status=EncounterStatus.IN_PROGRESS,
            secrecy_level=SecrecyLevel.STANDARD,
            created_at_us=self._clock.now_us(),
            cad_incident_id=None if incident is None else _checked_incident(incident),
        )


def _checked_incident(text: str) -> str:
    """Return the dispatch system's id of an incident without surrounding spaces. Raises `CadIncidentMalformed`."""
    trimmed = text.strip()
    if not trimmed or len(trimmed) > CAD_INCIDENT_LENGTH_MAX:
        raise CadIncidentMalformed
    if (found := hidden_character(trimmed)) is not None:
        raise CadIncidentMalformed(f"(It contains {found}.)")
    return trimmed
