"""Sets up what a demo runs on, the way an operator sets up a fleet: provision the gateway, register it, enrol its
devices.

Done once; a second start of the same state finds everything and only migrates. How far an interrupted set-up came is
not guessed: it is marked when it is complete, and a state without the mark is refused with the advice to remove it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from simulators.demo.commands import ask, program
from simulators.demo.plan import Plan, PlanUnusable, Tenancy

_DONE = "set-up-complete"
_BEGUN = "set-up-begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """One simulated device, as the cloud is told of it."""

    system_id: str
    serial_number: str
    device_class: str
    manufacturer: str


async def set_up(plan: Plan, gateway_config: Path, cloud_config: Path, devices: tuple[Enrolment, ...]) -> None:
    """Everything that must be there before the parts start. Raises `CommandFailed`, `PlanUnusable`."""
    cloud = (program("argus-cloud"), "--config", str(cloud_config))
    await ask(*cloud, "migrate")
    if plan.file(_DONE).exists():
        return
    if plan.file(_BEGUN).exists():
        raise PlanUnusable(f"the set-up of {plan.state_dir} was interrupted; remove the folder and start again")
    plan.file(_BEGUN).touch()
    provisioned = json.loads(
        await ask(program("argus-gateway"), "provision", "--config", str(gateway_config), "--json")
    )
    for tenancy in (plan.first, plan.second):
        await _add_tenancy(cloud, tenancy)
    first = plan.first
    owner = ("--tenant", first.tenant_id, "--organization", first.organization_id, "--vehicle", first.vehicle_id)
    key = provisioned["public_key"]
    await ask(*cloud, "gateways", "add", *owner, "--id", plan.gateway_id, "--public-key", key)
    encounter = ("--id", plan.encounter_id)
    await ask(*cloud, "encounters", "add", *owner, *encounter)
    for device in devices:
        named = ("--system-id", device.system_id, "--serial-number", device.serial_number)
        made = ("--class", device.device_class, "--manufacturer", device.manufacturer)
        enrolled = json.loads(await ask(*cloud, "devices", "enrol", *owner, *named, *made, "--json"))
        whose = ("--device", enrolled["id"], "--encounter", plan.encounter_id)
        await ask(*cloud, "assignments", "add", "--tenant", first.tenant_id, *whose)
    plan.file(_DONE).touch()


async def _add_tenancy(cloud: tuple[str, ...], tenancy: Tenancy) -> None:
    tenant, organization, vehicle = tenancy.tenant_id, tenancy.organization_id, tenancy.vehicle_id
    await ask(*cloud, "tenants", "add", "--id", tenant, "--name", f"Demo {tenant}")
    await ask(*cloud, "organizations", "add", "--tenant", tenant, "--id", organization, "--name", organization)
    owner = ("--tenant", tenant, "--organization", organization)
    await ask(*cloud, "vehicles", "add", *owner, "--id", vehicle, "--name", vehicle)
