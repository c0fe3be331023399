"""Registration of a fleet: identities and stores, then vehicles and gateways by the console, as an operator would.

What exists is left as it is, so an interrupted registration continues. At a broker with TLS each gateway gets a
certificate from the fleet's authority. At a broker without TLS (the demo's) its user is added to the password file,
which mosquitto reads again at SIGHUP.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.security.identity import CERTIFICATE_FILE, REQUEST_FILE
from gateway.transports.clock import Clock
from simulators.demo.broker import write_passwords
from simulators.fleet.console import COMMANDS_MAX, Console
from simulators.fleet.plan import FleetPlan, FleetUnusable, PlannedVehicle
from simulators.fleet.vehicle import IDENTITY_FOLDER, make_vehicle

BEGUN_FILE: Final = "registration-begun"
"""Name of the file that a fleet makes in its state folder before its first registration."""
FLEET_NAME: Final = "Simulated fleet"


@dataclass(frozen=True, slots=True)
class BrokerPasswords:
    """mosquitto's password file, and the process id of the mosquitto that reads it."""

    file: Path
    pid: int


async def register(
    plan: FleetPlan,
    vehicles: Sequence[PlannedVehicle],
    console: Console,
    clock: Clock,
    *,
    passwords: BrokerPasswords | None,
    notify: Callable[[str], None],
) -> None:
    """Register `vehicles` of the plan that the cloud does not have. `passwords` None: the gateways sign in with
    certificates. Raises `CommandFailed`, `FleetUnusable` and `IdentityUnusable`."""
    keys = await asyncio.to_thread(_make_all, plan, vehicles, clock)
    known = await _known(plan, console)
    commands = _missing_commands(plan, vehicles, keys, known, with_certificates=passwords is None)
    for begin in range(0, len(commands), COMMANDS_MAX):
        notify(f"registering {len(vehicles)} vehicles: {begin} of {len(commands)} commands are done")
        await console.run(*commands[begin : begin + COMMANDS_MAX])
    if passwords is not None:
        await asyncio.to_thread(_add_passwords, vehicles, passwords)


def _make_all(plan: FleetPlan, vehicles: Sequence[PlannedVehicle], clock: Clock) -> list[str]:
    """Make the missing identities and stores; return the public key of each gateway."""
    return [make_vehicle(plan.folder(each), each.gateway_id, clock.wall_us()).public_key_base64 for each in vehicles]


async def _known(plan: FleetPlan, console: Console) -> set[str]:
    """Return the ids of the fleet's tenant, organisation, vehicles and gateways that the cloud has. The cloud of a new
    fleet is not queried."""
    begun = plan.state_dir / BEGUN_FILE
    if not begun.exists():
        begun.touch()
        return set()
    (tenants,) = await console.run(("tenants", "list"))
    if all(each["id"] != plan.tenant_id for each in tenants):
        return set()
    lists = [(kind, "list", "--tenant", plan.tenant_id) for kind in ("organizations", "vehicles", "gateways")]
    return {plan.tenant_id} | {each["id"] for found in await console.run(*lists) for each in found}


def _missing_commands(
    plan: FleetPlan,
    vehicles: Sequence[PlannedVehicle],
    keys: Sequence[str],
    known: Collection[str],
    *,
    with_certificates: bool,
) -> list[Sequence[str]]:
    """Return the commands that register what is not `known` to the cloud, and issue the missing certificates."""
    tenant = ("--tenant", plan.tenant_id)
    owner = (*tenant, "--organization", plan.organization_id)
    commands: list[Sequence[str]] = []
    if plan.tenant_id not in known:
        commands.append(("tenants", "add", "--id", plan.tenant_id, "--name", FLEET_NAME))
    if plan.organization_id not in known:
        commands.append(("organizations", "add", *tenant, "--id", plan.organization_id, "--name", FLEET_NAME))
    for each, key in zip(vehicles, keys, strict=True):
        if each.vehicle_id not in known:
            commands.append(("vehicles", "add", *owner, "--id", each.vehicle_id, "--name", each.vehicle_id))
        if each.gateway_id not in known:
            names = ("--vehicle", each.vehicle_id, "--id", each.gateway_id)
            commands.append(("gateways", "add", *owner, *names, "--public-key", key))
        identity = plan.folder(each) / IDENTITY_FOLDER
        if with_certificates and not (identity / CERTIFICATE_FILE).exists():
            files = ("--request", str(identity / REQUEST_FILE), "--out", str(identity / CERTIFICATE_FILE))
            commands.append(("broker", "certificate", *tenant, "--gateway", each.gateway_id, *files))
    return commands


def _add_passwords(vehicles: Sequence[PlannedVehicle], passwords: BrokerPasswords) -> None:
    """Add the users that the password file does not have, and let mosquitto read the file again."""
    try:
        os.kill(passwords.pid, 0)  # before the file is changed: with a wrong pid it would be read too late
        known = {line.partition(":")[0] for line in passwords.file.read_text().splitlines()}
        missing = {each.gateway_id: each.password for each in vehicles if each.gateway_id not in known}
        if not missing:
            return
        hashed = passwords.file.with_name(f"{passwords.file.name}.fleet")
        write_passwords(hashed, missing)
        # Appended, so that the file keeps its owner and its mode, by which mosquitto may read it.
        with passwords.file.open("a") as file:
            file.write(hashed.read_text())
        hashed.unlink()
        os.kill(passwords.pid, signal.SIGHUP)
    except ProcessLookupError:
        raise FleetUnusable(
            f"no process has the id {passwords.pid}: name that of mosquitto with --broker-pid"
        ) from None
    except OSError as error:
        raise FleetUnusable(f"{error.filename or passwords.file} cannot be changed ({error.strerror})") from None
