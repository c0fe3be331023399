"""Sets up what a demo runs on, the way an operator sets up a fleet: provision the gateway, register it, enrol its
devices.

Done once; a second start of the same state finds everything and only migrates. It is marked when it begins and when it
is complete: `plan` begins anew what was interrupted in between.
"""

import json
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from simulators.demo.commands import ask, program
from simulators.demo.plan import SET_UP_BEGUN, SET_UP_DONE, Plan, Tenancy, keep

ADMIN_TOKEN_S = 7 * 24 * 3600
"""Longer than any demo runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """One simulated device, as the cloud is told of it."""

    system_id: str
    serial_number: str
    device_class: str
    manufacturer: str


async def set_up(plan: Plan, gateway_config: Path, cloud_config: Path, devices: tuple[Enrolment, ...]) -> Plan:
    """Everything that must be there before the parts start; the plan with all credentials. Raises `CommandFailed`."""
    cloud = (program("argus-cloud"), "--config", str(cloud_config))
    await ask(*cloud, "migrate")
    if plan.file(SET_UP_DONE).exists():
        return await _with_admin_tokens(cloud, plan)
    plan.file(SET_UP_BEGUN).touch()
    provisioned = json.loads(
        await ask(program("argus-gateway"), "provision", "--config", str(gateway_config), "--json")
    )
    first = plan.first
    owner = f"--tenant {first.tenant_id} --organization {first.organization_id} --vehicle {first.vehicle_id}"
    commands = [
        *_tenancy_commands(plan.first),
        *_tenancy_commands(plan.second),
        f"gateways add {owner} --id {plan.gateway_id} --public-key {provisioned['public_key']}",
        f"encounters add {owner} --id {plan.encounter_id} --json",
        *(_enrolment_command(device, owner) for device in devices),
    ]
    answers = [json.loads(line) for line in (await _batch(cloud, plan.file("fleet.batch"), commands)).splitlines()]
    enrolled = answers[-len(devices) :]
    whose = f"--tenant {first.tenant_id} --encounter {plan.encounter_id}"
    assigned = [f"assignments add {whose} --device {device['id']} --json" for device in enrolled]
    await _batch(cloud, plan.file("assignments.batch"), assigned)
    plan = keep(await _with_credentials(cloud, plan))
    plan.file(SET_UP_DONE).touch()
    return await _with_admin_tokens(cloud, plan)


async def _batch(cloud: tuple[str, ...], file: Path, commands: list[str]) -> str:
    """Runs the commands in one process; the file stays, as an example of how a fleet is set up."""
    file.write_text("\n".join(commands) + "\n")
    return await ask(*cloud, "batch", str(file))


def _tenancy_commands(tenancy: Tenancy) -> tuple[str, ...]:
    tenant, organization, vehicle = tenancy.tenant_id, tenancy.organization_id, tenancy.vehicle_id
    return (
        f"tenants add --id {tenant} --name {tenant} --json",
        f"organizations add --tenant {tenant} --id {organization} --name {organization} --json",
        f"vehicles add --tenant {tenant} --organization {organization} --id {vehicle} --name {vehicle} --json",
    )


async def _with_credentials(cloud: tuple[str, ...], plan: Plan) -> Plan:
    """An app with every scope, a person who administers, and a console that may act for them, in each tenant."""
    tenancies = []
    for tenancy in (plan.first, plan.second):
        where = f"--tenant {tenancy.tenant_id} --organization {tenancy.organization_id}"
        commands = [
            f"apps add {where} --name Demo --id {tenancy.client_id} --scope all --allow-service-tokens --json",
            f"apps add --tenant {tenancy.tenant_id} --name Console --id {_console(tenancy)} "
            "--scope all --scope argus:platform:admin --allow-service-tokens --json",
            f"users add {where} --username {tenancy.username} --role administrator --json",
        ]
        file = plan.file(f"{tenancy.tenant_id}.batch")
        app, _, person = [json.loads(line) for line in (await _batch(cloud, file, commands)).splitlines()]
        tenancies.append(replace(tenancy, client_secret=app["client_secret"], password=person["password"]))
    return replace(plan, first=tenancies[0], second=tenancies[1])


async def _with_admin_tokens(cloud: tuple[str, ...], plan: Plan) -> Plan:
    """A fresh one for each start, since yesterday's has expired."""
    whose = [
        f"tokens mint --tenant {one.tenant_id} --app {_console(one)} --user {one.username} "
        f"--ttl-seconds {ADMIN_TOKEN_S} --json"
        for one in (plan.first, plan.second)
    ]
    lines = (await _batch(cloud, plan.file("admin-tokens.batch"), whose)).splitlines()
    first, second = [json.loads(line)["token"] for line in lines]
    return keep(
        replace(plan, first=replace(plan.first, admin_token=first), second=replace(plan.second, admin_token=second))
    )


def _console(tenancy: Tenancy) -> str:
    return f"{tenancy.client_id}_console"


def _enrolment_command(device: Enrolment, owner: str) -> str:
    named = f"--system-id {device.system_id} --serial-number {shlex.quote(device.serial_number)}"
    made = f"--class {device.device_class} --manufacturer {shlex.quote(device.manufacturer)}"
    return f"devices enrol {owner} {named} {made} --json"
