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
    await ask(
        *cloud, "gateways", "add", "--tenant", first.tenant_id, "--organization", first.organization_id,
        "--vehicle", first.vehicle_id, "--id", plan.gateway_id, "--public-key", provisioned["public_key"],
    )  # fmt: skip
    for device in devices:
        enrolled = json.loads(
            await ask(
                *cloud,
                "devices",
                "enrol",
                "--tenant",
                first.tenant_id,
                "--organization",
                first.organization_id,
                "--vehicle",
                first.vehicle_id,
                "--system-id",
                device.system_id,
                "--serial-number",
                device.serial_number,
                "--class",
                device.device_class,
                "--manufacturer",
                device.manufacturer,
                "--json",
            )  # fmt: skip
        )
        await ask(
            *cloud, "assignments", "add", "--tenant", first.tenant_id, "--device", enrolled["id"],
            "--encounter", plan.encounter_id,
        )  # fmt: skip
    plan.file(_DONE).touch()


async def _add_tenancy(cloud: tuple[str, ...], tenancy: Tenancy) -> None:
    of_tenant = ("--tenant", tenancy.tenant_id)
    await ask(*cloud, "tenants", "add", "--id", tenancy.tenant_id, "--name", f"Demo {tenancy.tenant_id}")
    await ask(
        *cloud, "organizations", "add", *of_tenant, "--id", tenancy.organization_id, "--name", tenancy.organization_id
    )
    await ask(
        *cloud, "vehicles", "add", *of_tenant, "--organization", tenancy.organization_id,
        "--id", tenancy.vehicle_id, "--name", tenancy.vehicle_id,
    )  # fmt: skip
