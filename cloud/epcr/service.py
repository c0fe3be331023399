"""Begin encounters. What they contain comes with «The cloud's first surface»."""

from collections.abc import Sequence

from cloud.clock import Clock
from cloud.db import Database
from cloud.epcr.errors import EncounterTaken
from cloud.epcr.model import CareModel, Encounter, EncounterStatus
from cloud.epcr.store import Encounters
from cloud.ids import Ids, checked_id
from cloud.tenancy import OrganizationUnknown, SecrecyLevel, TenancyStore, VehicleUnknown, Viewer


class Epcr:
    """The use cases about encounters."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._encounters = Encounters()
        self._tenancy = TenancyStore()

    async def begin(
        self,
        viewer: Viewer,
        *,
        organization_id: str,
        vehicle_id: str | None = None,
        care_model: CareModel = CareModel.PREHOSPITAL_EMERGENCY,
        id: str | None = None,
    ) -> Encounter:
        """Begin an encounter. Raises `OrganizationUnknown`, `VehicleUnknown`, `EncounterTaken`."""
        encounter = Encounter(
            tenant_id=viewer.tenant_id,
            id=self._ids.new("enc") if id is None else checked_id(id),
            organization_id=organization_id,
            vehicle_id=vehicle_id,
            care_model=care_model,
            status=EncounterStatus.IN_PROGRESS,
            secrecy_level=SecrecyLevel.STANDARD,
            created_at_us=self._clock.now_us(),
        )
        async with self._database.transaction() as tx:
            if await self._tenancy.find_organization(tx, viewer, organization_id) is None:
                raise OrganizationUnknown
            if vehicle_id is not None:
                vehicle = await self._tenancy.find_vehicle(tx, viewer, vehicle_id)
                if vehicle is None or vehicle.organization_id != organization_id:
                    raise VehicleUnknown
            if not await self._encounters.add(tx, encounter):
                raise EncounterTaken(f"(encounter {encounter.id})")
        return encounter

    async def list(self, viewer: Viewer) -> Sequence[Encounter]:
        async with self._database.read() as tx:
            return await self._encounters.list(tx, viewer)
