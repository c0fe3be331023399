"""Commands `argus-gateway crew`: the crew members who sign in on the tablet, and the authority that tablets trust.

The commands change the encrypted list in the identity's folder; a running gateway reads it at the next request. A new
PIN is printed once, for the person; no command shows an existing one.
"""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer

from gateway.cli.output import print_json, print_json_lines, print_table
from gateway.cli.refusal import Refusal
from gateway.crew.server_certificate import machine_names
from gateway.security.crew_members import MEMBERS_MAX, CrewMember, CrewMembers
from gateway.security.identity import Identity
from gateway.security.vehicle_authority import VehicleAuthority, is_loopback, mdns_hosts
from gateway.sessions.clocks.trusted_clock import BUILD_US, TrustedClock
from gateway.settings import Settings, load
from gateway.transports.clock import SystemClock
from protocols.epcr.crew_role import CrewRole

COLUMNS = ("id", "name", "role")
_LINE_BYTES_MAX = 512
FILE_BYTES_MAX = (MEMBERS_MAX + 1) * _LINE_BYTES_MAX


def members_of(settings: Settings) -> CrewMembers:
    return CrewMembers(Identity.load(settings.identity_dir).secrets)


def list_members(config: Path, *, as_json: bool) -> None:
    rows = [(each.id, each.name, each.role.value) for each in members_of(load(config)).all().values()]
    if as_json:
        print_json_lines(dict(zip(COLUMNS, row, strict=True)) for row in rows)
        return
    print_table(f"{len(rows)} crew members", COLUMNS, rows)


def add_member(config: Path, id: str, name: str, role: CrewRole, *, as_json: bool) -> None:
    print_pins([members_of(load(config)).add(id, name, role)], as_json=as_json)


def import_members(config: Path, file: Path, *, as_json: bool) -> None:
    print_pins(import_file(load(config), file), as_json=as_json)


def import_file(settings: Settings, file: Path) -> list[CrewMember]:
    """Add the members of a CSV file that the gateway does not have yet, all of them or none, and return them."""
    members = members_of(settings)
    known = members.all()
    return members.add_all([row for row in read_members(file) if row[0] not in known])


def renew_pin(config: Path, id: str, *, as_json: bool) -> None:
    print_pins([members_of(load(config)).renew_pin(id)], as_json=as_json)


def remove_member(config: Path, id: str) -> None:
    members_of(load(config)).remove(id)
    typer.echo(f"{id} is removed. Reports keep the id as their author.")


def read_members(file: Path) -> list[tuple[str, str, CrewRole]]:
    """Read a CSV file with the columns id, name and role. Raises `Refusal`, which names the line, and OSError."""
    with file.open("rb") as opened:
        content = opened.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise Refusal(f"{file} is too large: a vehicle has at most {MEMBERS_MAX} crew members")
    try:
        reader = csv.DictReader(content.decode("utf-8-sig").splitlines(), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error):
        raise Refusal(
            f"{file} cannot be read: write a CSV file in UTF-8 that begins with {','.join(COLUMNS)}"
        ) from None
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise Refusal(f"{file}, line 1: write {','.join(COLUMNS)}")
    people = []
    for number, row in enumerate(rows, start=2):
        if row["role"] not in tuple(CrewRole):
            raise Refusal(f"{file}, line {number}: the role is one of {', '.join(CrewRole)}; nothing was changed")
        people.append((row["id"], row["name"].strip(), CrewRole(row["role"])))
    return people


def show_authority(config: Path, *, new: bool, as_json: bool) -> None:
    """Print the vehicle's authority. `new`: make another one, which each tablet must install."""
    settings = load(config)
    if settings.crew is None or is_loopback(settings.crew.listen.host):
        raise Refusal("the crew page is not served over TLS: [crew] listen is missing, or a loopback address")
    identity = Identity.load(settings.identity_dir)
    authority = None if new else VehicleAuthority.load(identity.secrets)
    if authority is None:
        names = machine_names() | set(settings.crew.host_names)
        now_us = TrustedClock(SystemClock()).wall_us()
        vehicle = settings.gateway.vehicle
        authority = VehicleAuthority.create(identity.secrets, vehicle, names, now_us=now_us, built_us=BUILD_US)
    ends = datetime.fromtimestamp(authority.not_after_us // 1_000_000, UTC).date().isoformat()
    address = f"http://{mdns_hosts()[0]}:{settings.crew.listen.port}/"
    if as_json:
        print_json({"fingerprint": authority.fingerprint, "valid_until": ends, "address": address})
        return
    typer.echo(f"fingerprint  {authority.fingerprint}")
    typer.echo(f"valid until  {ends}")
    typer.echo(f"address      {address}  (a tablet installs the certificate there)")
    if new:
        typer.echo("Restart the gateway. Each tablet of the vehicle must install the new certificate.")


def print_pins(members: Sequence[CrewMember], *, as_json: bool) -> None:
    rows = [(each.id, each.name, each.role.value, each.pin) for each in members]
    if as_json:
        print_json_lines(dict(zip((*COLUMNS, "pin"), row, strict=True)) for row in rows)
        return
    print_table(f"{len(rows)} new PINs, which are not shown again", (*COLUMNS, "PIN"), rows)
