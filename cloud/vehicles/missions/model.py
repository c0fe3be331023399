"""Data classes of missions, and the times for which they are sent and kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocols.uplink.missions import Mission, MissionStatus

EXPIRES_US = 86_400_000_000
"""Time after the last change of a mission in which a vehicle may still receive it: a vehicle that has been without
coverage for longer than a shift must not show a call of yesterday. Then the row is deleted."""
NO_VEHICLE = ""
"""Vehicle of the row that keeps the call data of an encounter without a vehicle, for the vehicle that gets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleMission:
    """The newest version of a mission for one vehicle. The fields are the columns of `vehicle_missions`."""

    tenant_id: str
    encounter_id: str
    vehicle_id: str
    organization_id: str
    version: int
    status: MissionStatus
    call_data: Mapping[str, str] = field(repr=False)
    issued_at_us: int
    expires_at_us: int
    due_at_us: int | None = None
    sent_at_us: int | None = None
    received_version: int | None = None
    received_at_us: int | None = None

    def for_gateway(self, gateway_id: str) -> Mission:
        """Return the message for one gateway of the vehicle."""
        return Mission(
            tenant=self.tenant_id,
            gateway=gateway_id,
            vehicle=self.vehicle_id,
            encounter=self.encounter_id,
            version=self.version,
            status=self.status,
            issued_at_us=self.issued_at_us,
            expires_at_us=self.expires_at_us,
            values=self.call_data,
        )
