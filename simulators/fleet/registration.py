"""Registration of a fleet: identities and stores, then vehicles and gateways by the console, as an operator would.

What exists is left as it is, so an interrupted registration continues. At a broker with TLS each gateway gets a
certificate from the fleet's authority. At a broker without TLS (the demo's) its user is added to the password file,
which mosquitto reads again at SIGHUP.
"""

import asyncio
import csv
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
LIST_FILE: Final = "gateways.csv"
"""Name of the list of the vehicles and gateways that were registered last, in the state folder."""
FLEET_NAME: Final = "Simulated fleet"
IMPORT_S: Final = 600.0
"""Longest time of an import of gateways. A thousand take seconds."""


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
) -> int:
    """Register `vehicles` of the plan that the cloud does not have, and return their number. `passwords` None: the
    gateways sign in with certificates. Raises `CommandFailed`, `FleetUnusable` and `IdentityUnusable`."""
    keys = await asyncio.to_thread(_make_all, plan, vehicles, clock)
    known = await _known(plan, console)
    missing = [(each, key) for each, key in zip(vehicles, keys, strict=True) if each.gateway_id not in known]
    if missing:
        notify(f"registering {len(missing)} vehicles")
        await console.run(*_commands(plan, missing, known), within_s=IMPORT_S)
    requests = _certificate_commands(plan, vehicles) if passwords is None else []
    for begin in range(0, len(requests), COMMANDS_MAX):
        notify(f"issuing certificates: {begin} of {len(requests)} are done")
        await console.run(*requests[begin : begin + COMMANDS_MAX])
    if passwords is not None:
        await asyncio.to_thread(_add_passwords, vehicles, passwords)
    return len(missing)


def _make_all(plan: FleetPlan, vehicles: Sequence[PlannedVehicle], clock: Clock) -> list[str]:
    """Make the missing identities and stores; return the public key of each gateway."""
    return [make_vehicle(plan.folder(each), each.gateway_id, clock.wall_us()).public_key_base64 for each in vehicles]


async def _known(plan: FleetPlan, console: Console) -> set[str]:
    """Return the ids of the fleet's tenant, organisation and gateways that the cloud has. The cloud of a new fleet is
    not queried."""
    begun = plan.state_dir / BEGUN_FILE
    if not begun.exists():
        begun.touch()
        return set()
    (tenants,) = await console.run(("tenants", "list"))
    if all(each["id"] != plan.tenant_id for each in tenants):
        return set()
    lists = [(kind, "list", "--tenant", plan.tenant_id) for kind in ("organizations", "gateways")]
    return {plan.tenant_id} | {each["id"] for found in await console.run(*lists) for each in found}


def _commands(
    plan: FleetPlan, missing: Sequence[tuple[PlannedVehicle, str]], known: Collection[str]
) -> list[Sequence[str]]:
    """Return the commands that register the `missing` vehicles, each with the public key of its gateway. `known` are
    the ids that the cloud has."""
    tenant = ("--tenant", plan.tenant_id)
    commands: list[Sequence[str]] = []
    if plan.tenant_id not in known:
        commands.append(("tenants", "add", "--id", plan.tenant_id, "--name", FLEET_NAME))
    if plan.organization_id not in known:
        commands.append(("organizations", "add", *tenant, "--id", plan.organization_id, "--name", FLEET_NAME))
    listed = plan.state_dir / LIST_FILE
    with listed.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("vehicle", "name", "gateway", "public_key"))
        rows.writerows((each.vehicle_id, each.vehicle_id, each.gateway_id, key) for each, key in missing)
    commands.append(("gateways", "import", str(listed), *tenant, "--organization", plan.organization_id))
    return commands


def _certificate_commands(plan: FleetPlan, vehicles: Sequence[PlannedVehicle]) -> list[Sequence[str]]:
    """Return the commands that issue the missing certificates."""
    commands: list[Sequence[str]] = []
    for each in vehicles:
        identity = plan.folder(each) / IDENTITY_FOLDER
        if not (identity / CERTIFICATE_FILE).exists():
            files = ("--request", str(identity / REQUEST_FILE), "--out", str(identity / CERTIFICATE_FILE))
            owner = ("--tenant", plan.tenant_id, "--gateway", each.gateway_id)
            commands.append(("broker", "certificate", *owner, *files))
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
