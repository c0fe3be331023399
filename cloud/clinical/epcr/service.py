"""Begin encounters, at the console or from a dispatch system, follow them to their end, and say what partners may know.

A dispatch system repeats itself: a resend after a lost answer, two servers that both send. The same incident with the
same vehicle is one encounter, so the second sender gets the first one's (A-102); the unique index decides, not a
look-up before it.

`…_in` is the use case within a transaction that the caller has opened, so that HTTP can put its audit entry and the
answer that it keeps for a retry into the same one.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from cloud.access.tenancy import OrganizationUnknown, TenancyStore
from cloud.clinical.epcr.errors import (
    CadIncidentMalformed,
    CrewMemberUnknown,
    EncounterFinished,
    EncounterTaken,
    EncounterUnknown,
    EncounterVehicleUnknown,
)
from cloud.clinical.epcr.model import Begun, CareModel, Encounter, EncounterStatus, EncounterSummary
from cloud.clinical.epcr.store import Crew, Encounters
from cloud.clinical.epcr.telling import Telling
from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.ids import Ids, checked_id
from cloud.foundation.readable import hidden_character
from cloud.foundation.suggestions import quoted
from cloud.foundation.supplies import Need
from cloud.foundation.viewer import SecrecyLevel, Viewer

CAD_INCIDENT_LENGTH_MAX = 128
CREW_MAX = 32
"""More people than the largest vehicle carries."""

CountObservations = Callable[[Transaction, Viewer, str], Awaitable[int]]
"""Counts the observations of an encounter. None where no summary is read."""
COUNT_OBSERVATIONS: Need[CountObservations] = Need("count the observations of an encounter")

Witness = Callable[[Transaction, Encounter], Awaitable[None]]
"""Writes the audit entry of a change, in the change's transaction."""


async def nobody(tx: Transaction, encounter: Encounter) -> None:
    """A witness for changes that need none."""


class Epcr:
    """The use cases about encounters. Each change takes a `witness`."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, count_observations: CountObservations | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._count_observations = count_observations
        self._encounters = Encounters()
        self._crew = Crew()
        self._telling = Telling(clock, ids)
        self._tenancy = TenancyStore()

    async def begin(
        self,
        viewer: Viewer,
        *,
        organization_id: str,
        vehicle_id: str | None = None,
        care_model: CareModel = CareModel.PREHOSPITAL_EMERGENCY,
        id: str | None = None,
        witness: Witness = nobody,
    ) -> Encounter:
        """Begin an encounter. Raises `OrganizationUnknown`, `EncounterVehicleUnknown`, `EncounterTaken`."""
        encounter = self._new(viewer, organization_id, vehicle_id, care_model, id=id)
        async with self._database.transaction() as tx:
            await self._check_place(tx, viewer, organization_id, vehicle_id)
            if not await self._encounters.add(tx, encounter):
                raise EncounterTaken(f"(encounter {encounter.id})")
            await self._telling.begun(tx, encounter)
            await witness(tx, encounter)
        return encounter

    async def dispatch(
        self,
        viewer: Viewer,
        *,
        organization_id: str,
        care_model: CareModel,
        vehicle_id: str | None = None,
        crew_ids: Sequence[str] = (),
        cad_incident_id: str | None = None,
    ) -> Begun:
        """What a dispatch system began, as `dispatch_in`."""
        async with self._database.transaction() as tx:
            return await self.dispatch_in(
                tx,
                viewer,
                organization_id=organization_id,
                care_model=care_model,
                vehicle_id=vehicle_id,
                crew_ids=crew_ids,
                cad_incident_id=cad_incident_id,
            )

    async def dispatch_in(
        self,
        tx: Transaction,
        viewer: Viewer,
        *,
        organization_id: str,
        care_model: CareModel,
        vehicle_id: str | None = None,
        crew_ids: Sequence[str] = (),
        cad_incident_id: str | None = None,
        traceparent: str | None = None,
    ) -> Begun:
        """What a dispatch system began; the one that is there already when it sends the same again.

        Raises `OrganizationUnknown`, `EncounterVehicleUnknown`, `CrewMemberUnknown`, `CadIncidentMalformed`.
        """
        if cad_incident_id is not None:
            cad_incident_id = _checked_incident(cad_incident_id)
        crew_ids = list(dict.fromkeys(crew_ids))
        encounter = self._new(viewer, organization_id, vehicle_id, care_model, cad_incident_id=cad_incident_id)
        await self._check_place(tx, viewer, organization_id, vehicle_id)
        if await self._encounters.add(tx, encounter):
            known = await self._crew.known(tx, viewer, encounter.organization_id, crew_ids) if crew_ids else set()
            for place, member in enumerate(crew_ids):
                if member not in known:
                    text = f"The crew id {quoted(member)} is not registered."
                    raise CrewMemberUnknown(text, mistakes=[Mistake(text, f"/crew_ids/{place}")])
            await self._encounters.send(tx, encounter, crew_ids)
            await self._telling.begun(tx, encounter, traceparent=traceparent)
            return Begun(encounter, created=True)
        assert encounter.cad_incident_id is not None, "a minted id is not taken"
        found = await self._encounters.of_incident(
            tx, viewer, encounter.organization_id, encounter.cad_incident_id, encounter.vehicle_id
        )
        if found is None:  # it is there, and above the caller's clearance
            raise EncounterTaken
        return Begun(found, created=False)

    async def change(
        self,
        viewer: Viewer,
        encounter_id: str,
        *,
        vehicle_id: str | None = None,
        care_model: CareModel | None = None,
        witness: Witness = nobody,
    ) -> Encounter:
        """Another vehicle goes, or it is another kind of mission; what is None stays. What is the same is told nobody.

        Raises `EncounterUnknown`, `EncounterFinished`, `EncounterVehicleUnknown`, `EncounterTaken`.
        """
        async with self._database.transaction() as tx:
            before = await self._locked(tx, viewer, encounter_id)
            if before.status is not EncounterStatus.IN_PROGRESS:
                raise EncounterFinished
            await self._check_place(tx, viewer, before.organization_id, vehicle_id)
            encounter = replace(
                before,
                vehicle_id=before.vehicle_id if vehicle_id is None else vehicle_id,
                care_model=care_model or before.care_model,
            )
            changed = [
                name for name in ("vehicle_id", "care_model") if getattr(encounter, name) != getattr(before, name)
            ]
            if changed:
                try:
                    await self._encounters.replace(tx, encounter)
                except ConstraintViolated:
                    raise EncounterTaken("(This vehicle has one of the incident already.)") from None
                await self._telling.updated(tx, encounter, changed)
                await witness(tx, encounter)
        return encounter

    async def finish(
        self, viewer: Viewer, encounter_id: str, how: EncounterStatus, *, witness: Witness = nobody
    ) -> Encounter:
        """It is over. The last one of an incident closes that. Finishing it again in the same way changes nothing.

        Raises `EncounterUnknown`, `EncounterFinished`.
        """
        assert how is not EncounterStatus.IN_PROGRESS, "an end is no beginning"
        async with self._database.transaction() as tx:
            before = await self._locked(tx, viewer, encounter_id)
            if before.status is how:
                return before
            if before.status is not EncounterStatus.IN_PROGRESS:
                raise EncounterFinished
            encounter = replace(before, status=how)
            await self._encounters.replace(tx, encounter)
            await self._telling.finished(tx, encounter)
            await witness(tx, encounter)
        return encounter

    async def _locked(self, tx: Transaction, viewer: Viewer, encounter_id: str) -> Encounter:
        encounter = await self._encounters.find(tx, viewer, encounter_id, lock=True)
        if encounter is None:
            raise EncounterUnknown
        return encounter

    async def summary(self, viewer: Viewer, encounter_id: str) -> EncounterSummary:
        """What partners may know. Raises `EncounterUnknown`, also for another organisation's."""
        async with self._database.read() as tx:
            encounter = await self._encounters.find(tx, viewer, encounter_id)
            if encounter is None:
                raise EncounterUnknown
            crew_count = await self._encounters.crew_count(tx, viewer, encounter.id)
            count = self._count_observations
            observation_count = 0 if count is None else await count(tx, viewer, encounter.id)
        return EncounterSummary(encounter, crew_count, observation_count)

    async def list(self, viewer: Viewer) -> Sequence[Encounter]:
        async with self._database.read() as tx:
            return await self._encounters.list(tx, viewer)

    def _new(
        self,
        viewer: Viewer,
        organization_id: str,
        vehicle_id: str | None,
        care_model: CareModel,
        *,
        id: str | None = None,
        cad_incident_id: str | None = None,
    ) -> Encounter:
        return Encounter(
            tenant_id=viewer.tenant_id,
            id=self._ids.new("enc") if id is None else checked_id(id),
            organization_id=organization_id,
            vehicle_id=vehicle_id,
            care_model=care_model,
            status=EncounterStatus.IN_PROGRESS,
            secrecy_level=SecrecyLevel.STANDARD,
            created_at_us=self._clock.now_us(),
            cad_incident_id=cad_incident_id,
        )

    async def _check_place(self, tx: Transaction, viewer: Viewer, organization_id: str, vehicle_id: str | None) -> None:
        if await self._tenancy.find_organization(tx, viewer, organization_id) is None:
            raise OrganizationUnknown
        if vehicle_id is not None:
            vehicle = await self._tenancy.find_vehicle(tx, viewer, vehicle_id)
            if vehicle is None or vehicle.organization_id != organization_id:
                text = f"The vehicle {quoted(vehicle_id)} is not in this organisation."
                raise EncounterVehicleUnknown(mistakes=[Mistake(text, "/vehicle_id")])


def _checked_incident(text: str) -> str:
    """The dispatch system's word without spaces around it; raises `CadIncidentMalformed`."""
    trimmed = text.strip()
    if not trimmed or len(trimmed) > CAD_INCIDENT_LENGTH_MAX:
        raise CadIncidentMalformed
    if (found := hidden_character(trimmed)) is not None:
        raise CadIncidentMalformed(f"(It contains {found}.)")
    return trimmed
