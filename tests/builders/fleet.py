"""Parts of a simulated fleet for tests: vehicles with real stores, and acknowledgements of the cloud."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sync.uplink import UplinkSettings
from gateway.transports.clock import SystemClock
from simulators.fleet.measured_source import Acknowledged
from simulators.fleet.profiles import PROFILES, ProfileName
from simulators.fleet.vehicle import Vehicle, make_vehicle

TENANT = "tnt_fleet_test"
NOWHERE = "mqtt://127.0.0.1:1"


@asynccontextmanager
async def vehicle_open(
    folder: Path, gateway: str = "gw_test_1", *, profile: ProfileName = ProfileName.VITALS
) -> AsyncIterator[Vehicle]:
    """Make the vehicle if it is missing, and open it; its uplink does not run."""
    clock = TrustedClock(SystemClock(), disciplined=lambda: 1)
    make_vehicle(folder, gateway, clock.wall_us())
    vehicle = await Vehicle.open(
        folder,
        UplinkSettings(mqtt_url=NOWHERE),
        clock,
        Acknowledged(0),
        tenant=TENANT,
        gateway=gateway,
        profile=PROFILES[profile],
    )
    try:
        yield vehicle
    finally:
        await vehicle.buffer.close()
