"""A cloud with an encounter that is erased: its devices, its finished state, and the worker that does the steps."""

from cloud.clinical.assignments import AssignmentService
from cloud.clinical.devices import Devices
from cloud.clinical.epcr import Epcr, MissionChange, Missions
from cloud.clinical.observations.export import export_observations
from cloud.clinical.waveforms import READERS_US
from cloud.foundation.db import Database
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import ObjectStore
from cloud.vehicles.custody import ErasureSeals
from cloud.vehicles.erasure.eraser import ROUND_US, Eraser
from cloud.vehicles.erasure.model import Erasure, ErasureReason, Phase
from cloud.vehicles.erasure.place import OBJECT_AGE_US, ErasingPlace
from cloud.vehicles.erasure.service import Erasures
from protocols.epcr.encounter import EncounterStatus
from protocols.observation import Observation
from protocols.observation_record import Json
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, VEHICLE
from tests.builders.ingest_gateway import OXIMETER, PLETH, GatewayInVehicle, section
from tests.builders.received_batches import RECEIVED
from tests.builders.retention_world import RetentionWorld

ENCOUNTER = "enc_test"
SECOND_US = 1_000_000
MASTER = MasterKey(bytes(range(32)))
SEALS = ErasureSeals(MASTER)


class ErasureWorld(RetentionWorld):
    """The cloud under test with one encounter, its assignments, and the worker's eraser."""

    seals: ErasureSeals | None = SEALS

    def __init__(
        self,
        database: Database,
        *gateways: GatewayInVehicle,
        objects: ObjectStore | None = None,
        staged: bool = False,
    ) -> None:
        super().__init__(database, *gateways, objects=objects, staged=staged)
        self.epcr = Epcr(database, self.cloud.clock, self.cloud.ids)
        self.missions = Missions(database, self.cloud.clock, self.cloud.ids)
        self.erasures = Erasures(database, self.cloud.clock, self.cloud.ids)

    async def begin(self) -> "ErasureWorld":
        await super().begin()
        await self.begin_encounter(ENCOUNTER)
        return self

    async def begin_encounter(self, encounter: str) -> None:
        await self.epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, id=encounter)

    async def assign(self, from_us: int, until_us: int | None, *, encounter: str = ENCOUNTER) -> None:
        """Assign the oximeter to an encounter."""
        device_id = (await self.cloud.device_ids())[OXIMETER.system_id]
        await AssignmentService(self.database, self.cloud.clock, self.cloud.ids).assign(
            OPERATOR, device_id=device_id, encounter_id=encounter, from_us=from_us, until_us=until_us
        )

    @property
    def place(self) -> ErasingPlace:
        return ErasingPlace(self.database, self.cloud.clock, self.cloud.ids, lambda: MASTER, self.cloud.objects)

    @property
    def eraser(self) -> Eraser:
        """A new eraser, as after a restart of the worker."""
        return Eraser(self.place, rest_s=0)

    async def request(self, encounter: str = ENCOUNTER) -> Erasure:
        """Finish the encounter and request its erasure."""
        await self.missions.change(OPERATOR, encounter, MissionChange(status=EncounterStatus.COMPLETED))
        return await self.erasures.request(OPERATOR, encounter, ErasureReason.PATIENT_REQUEST, SEALS)

    async def erased(self, encounter: str = ENCOUNTER) -> Erasure:
        """Return the erasure of an encounter."""
        found = await self.erasures.of_tenant(OPERATOR.tenant_id)
        return next(one for one in found if one.encounter_id == encounter)

    async def erase(self, encounter: str = ENCOUNTER) -> Erasure:
        """Erase an encounter as an operator and a worker do, and return what the tombstone states in the end."""
        await self.request(encounter)
        return await self.work(encounter)

    async def work(self, encounter: str = ENCOUNTER) -> Erasure:
        """Let the worker erase until nothing is left to do. The objects reach their age meanwhile."""
        for pass_us in (0, OBJECT_AGE_US, READERS_US, 0):
            self.pass_us(pass_us)
            await self.eraser.turn()
            found = await self.erased(encounter)
            if found.phase is Phase.DONE:
                return found
        raise AssertionError(found.phase, found.failure)

    async def later_round(self, encounter: str = ENCOUNTER) -> Erasure:
        """Let the worker look for what arrived since the erasure."""
        self.pass_us(2 * ROUND_US)
        return await self.work(encounter)

    def pass_us(self, time_us: int) -> None:
        self.cloud.clock.at_us += time_us
        for gateway in self.gateways:
            gateway.now_us += time_us

    async def exported(self) -> list[dict[str, Json]]:
        """Return the observations that the export has, devices without an enrolment included."""
        exporting = export_observations(
            self.database, OPERATOR, Devices(self.cloud.ids), RECEIVED, objects=self.cloud.objects, hidden=True
        )
        return [row async for row in exporting]

    async def values(self) -> list[Json]:
        """Return the exported values in the order of time; of a waveform its first sample."""
        rows = sorted(await self.exported(), key=lambda row: str(row["observed_at"]))
        return [row["samples"][0] if isinstance(row["samples"], list) else row["value"] for row in rows]


def blocks(gateway: GatewayInVehicle, *values: int, at_s: float = 1.0) -> Envelope:
    """Return a batch with one block of 100 equal samples (one second) for each value, one second after the other."""
    observations = [
        Observation(
            channel=PLETH,
            value=None,
            samples=value.to_bytes(2, "big", signed=True) * 100,
            status=0,
            device_time=None,
            received_s=at_s + second,
        )
        for second, value in enumerate(values)
    ]
    return gateway.send_sections([section(observations, wall_offset_us=gateway.now_us)], lane=Lane.WAVEFORM)
