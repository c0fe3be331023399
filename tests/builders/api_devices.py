"""Enrolled devices, and exported observations, for tests of the API."""

from typing import Any

from cloud.clinical.devices import Device, Devices, Enrolment
from cloud.clinical.observations.export import export_observations
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Viewer
from tests.builders.cloud_people import Household
from tests.builders.received_batches import RECEIVED


async def enrolled(
    database: Database,
    clock: Clock,
    home: Household,
    device_class: str = "oximeter",
    *,
    serial_number: str = "SN-0001",
    vehicle_id: str | None = None,
    system_id: str | None = None,
) -> Device:
    """Enrol a device in the organisation of `home`."""
    outcome = await Enrolment(database, clock, UlidIds(clock)).enrol(
        home.viewer,
        organization_id=home.organization.id,
        serial_number=serial_number,
        device_class=device_class,
        manufacturer="Synthetic Medical",
        vehicle_id=vehicle_id,
        system_id=system_id,
    )
    return outcome.device


async def exported(database: Database, clock: Clock, viewer: Viewer) -> list[dict[str, Any]]:
    """Return all observations that the viewer sees, as `argus-cloud observations export --json` prints them."""
    devices = Devices(UlidIds(clock))
    return [document async for document in export_observations(database, viewer, devices, RECEIVED)]
