"""A vehicle with one encounter, whose batches are referenced in the evidence of the encounter."""

from typing import Any

from cloud.clinical.epcr import Encounter, Epcr, MissionChange, Missions
from cloud.work.evidence.recorder import RecordSigners
from protocols.epcr.encounter import EncounterStatus
from tests.builders.evidence import EvidenceRoom
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, VEHICLE
from tests.builders.retention_world import RetentionWorld

MINUTE_US = 60_000_000


class FollowedVehicle(RetentionWorld):
    """A vehicle with one encounter, and the worker that references its batches."""

    encounter: Encounter
    signers: RecordSigners | None = None

    async def begin(self) -> "FollowedVehicle":
        await super().begin()
        self.gateway = self.gateways[0]
        self.room = EvidenceRoom(self.database, self.cloud.clock, self.cloud.ids, self.signers)
        common = (self.database, self.cloud.clock, self.cloud.ids)
        epcr = Epcr(*common, evidence=self.room.of_encounters)
        self.encounter = await epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, id="enc_1")
        self.missions = Missions(*common, self.room.of_encounters)
        return self

    def pass_minutes(self, minutes: int) -> None:
        self.cloud.clock.at_us += minutes * MINUTE_US
        self.gateway.now_us += minutes * MINUTE_US

    async def end(self) -> None:
        await self.missions.change(OPERATOR, "enc_1", MissionChange(status=EncounterStatus.COMPLETED))

    async def ranges(self) -> list[list[tuple[str, int, int]]]:
        """Return the lanes with the first and last batch that each record references."""
        return [
            [(one["lane"], one["first_sequence"], one["last_sequence"]) for one in batches]
            for batches in await self.references()
        ]

    async def references(self) -> list[list[dict[str, Any]]]:
        found: list[Any] = [one.core_members.get("details", {}) for one in await self.room.records(self.encounter)]
        return [details["vehicle_batches"] for details in found if "vehicle_batches" in details]
