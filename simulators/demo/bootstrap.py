"""Set-up of a demo with the commands of an operator: provision the gateway, register it, enrol its devices.

The set-up is made once for a state folder. A later start only migrates the database and requests new tokens. Two marker
files record the beginning and the completion, so that `plan` can discard an interrupted set-up.
"""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulators.demo.commands import program, run_command
from simulators.demo.fleet import DemoDevice
from simulators.demo.plan import SET_UP_BEGUN, SET_UP_DONE, Plan, Tenancy, keep

INIT = "init --json"
MIGRATE = "migrate --json"
ADMIN_TOKEN_S = 7 * 24 * 3600
"""Longer than any demo runs."""


async def set_up(
    plan: Plan,
    gateway_config: Path,
    cloud_config: Path,
    devices: tuple[DemoDevice, ...],
    broker_commands: tuple[str, ...] = (),
) -> Plan:
    """Create all that the processes need to start. Return the plan with its credentials. Raises `CommandFailed`."""
    cloud = (program("argus-cloud"), "--config", str(cloud_config))
    if plan.file(SET_UP_DONE).exists():
        replies = await _batch(cloud, plan.file("start.batch"), [MIGRATE, *broker_commands, *_start_commands(plan)])
        return keep(_with_keys(plan, replies[-3:]))
    plan.file(SET_UP_BEGUN).touch()
    provisioned = json.loads(
        await run_command(program("argus-gateway"), "--config", str(gateway_config), "provision", "--json")
    )
    fleet = [INIT, *_fleet_commands(plan, provisioned["public_key"], devices)]
    credentials = _credential_commands(plan)
    replies = await _batch(
        cloud, plan.file("fleet.batch"), [*fleet, *credentials, *broker_commands, *_start_commands(plan)]
    )
    plan = _with_credentials(plan, replies[len(fleet) : len(fleet) + len(credentials)])
    plan = keep(_with_keys(plan, replies[-3:]))
    plan.file(SET_UP_DONE).touch()
    return plan


async def _batch(cloud: tuple[str, ...], file: Path, commands: list[str]) -> list[Any]:
    """Run `argus-cloud` commands in one process, and return the JSON output of each. The commands are written to the
    batch file `file`, which is kept as an example."""
    file.write_text("\n".join(commands) + "\n")
    return [json.loads(line) for line in (await run_command(*cloud, "batch", str(file))).splitlines()]


def _fleet_commands(plan: Plan, public_key: str, devices: tuple[DemoDevice, ...]) -> list[str]:
    """Return the commands that create two tenants and, in the first, a gateway, an encounter and the devices that are
    assigned to it."""
    first = plan.first
    owner = f"--tenant {first.tenant_id} --organization {first.organization_id} --vehicle {first.vehicle_id}"
    return [
        *_tenancy_commands(first),
        *_tenancy_commands(plan.second),
        f"apps entitle --tenant {first.tenant_id} --scope argus:epcr:identified --json",  # for share links
        f"gateways add {owner} --id {plan.gateway_id} --public-key {public_key} --json",
        f"encounters add {owner} --id {plan.encounter_id} --json",
        *(_enrolment_command(device, owner) for device in devices),
        *(
            f"assignments add --tenant {first.tenant_id} --encounter {plan.encounter_id} "
            f"--device {device.system_id} --json"
            for device in devices
        ),
    ]


def _tenancy_commands(tenancy: Tenancy) -> tuple[str, ...]:
    tenant, organization, vehicle = tenancy.tenant_id, tenancy.organization_id, tenancy.vehicle_id
    return (
        f"tenants add --id {tenant} --name {tenant} --json",
        f"organizations add --tenant {tenant} --id {organization} --name {organization} --json",
        f"vehicles add --tenant {tenant} --organization {organization} --id {vehicle} --name {vehicle} --json",
    )


def _credential_commands(plan: Plan) -> list[str]:
    """Return the commands that create an app with all scopes, a console app and an administrator in each tenant."""
    commands = []
    for tenancy in (plan.first, plan.second):
        where = f"--tenant {tenancy.tenant_id} --organization {tenancy.organization_id}"
        commands += [
            f"apps add {where} --name Demo --id {tenancy.client_id} --scope all --allow-service-tokens --json",
            f"apps add --tenant {tenancy.tenant_id} --name Console --id {_console(tenancy)} "
            "--scope all --scope argus:platform:admin --allow-service-tokens --json",
            f"users add {where} --username {tenancy.username} --role administrator --json",
        ]
    return commands


def _with_credentials(plan: Plan, replies: list[Any]) -> Plan:
    """Return the plan with the credentials in `replies`, the output of `_credential_commands`."""
    tenancies = [
        replace(tenancy, client_secret=app["client_secret"], password=person["password"])
        for tenancy, (app, _, person) in zip((plan.first, plan.second), (replies[:3], replies[3:]), strict=True)
    ]
    return replace(plan, first=tenancies[0], second=tenancies[1])


def _start_commands(plan: Plan) -> list[str]:
    """Return the commands that show the key of missions, and create an administrator token in each tenant; earlier
    tokens may have expired."""
    return [
        f"missions key --tenant {plan.first.tenant_id} --json",
        *(
            f"tokens mint --tenant {one.tenant_id} --app {_console(one)} --user {one.username} "
            f"--ttl-seconds {ADMIN_TOKEN_S} --json"
            for one in (plan.first, plan.second)
        ),
    ]


def _with_keys(plan: Plan, replies: list[Any]) -> Plan:
    """Return the plan with what the `_start_commands` printed."""
    first, second = [reply["token"] for reply in replies[1:]]
    return replace(
        plan,
        mission_key=replies[0]["public_key"],
        first=replace(plan.first, admin_token=first),
        second=replace(plan.second, admin_token=second),
    )


def _console(tenancy: Tenancy) -> str:
    return f"{tenancy.client_id}_console"


def _enrolment_command(device: DemoDevice, owner: str) -> str:
    described = device.description
    named = f"--system-id {device.system_id} --serial-number {shlex.quote(described.serial_number)}"
    made = f"--class {device.device_class} --manufacturer {shlex.quote(described.manufacturer)}"
    return f"devices enrol {owner} {named} {made} --json"
