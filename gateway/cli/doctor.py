"""Command `argus-gateway doctor`: finds faults and weak settings before a crew meets them.

Each finding is one sentence: what was found, what it means, what to do. `wrong`: a fault that stops data from being
stored or sent; it makes the exit code 1. `unwise`: something that works but is weaker than it could be. `well`: a check
that passed. The command changes nothing. It queries a running gateway instead of opening its store.
"""

import asyncio
import ipaddress
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.cli.doctor_bluetooth import bluetooth_findings
from gateway.cli.doctor_crew import crew_findings
from gateway.cli.doctor_store import store_findings
from gateway.cli.finding import (
    CLOCK,
    DISK,
    IDENTITY,
    KEYS,
    LINKS,
    SECRETS,
    SERIAL,
    SETTINGS,
    STATE,
    TCP,
    UPLINK,
    Finding,
)
from gateway.cli.output import print_json_lines, print_table
from gateway.console.control import ControlUnavailable, query
from gateway.security.identity import Identity, IdentityUnusable
from gateway.security.secret_store import SecretDamaged, is_credential
from gateway.sessions.clocks.trusted_clock import BUILD_US, kernel_error_us
from gateway.settings import Address, MqttSection, Settings, load
from gateway.sync.settings import KEY_NAME, PASSWORD_NAME
from gateway.transports.clock import SystemClock

FREE_BYTES_MIN = 512 << 20
"""Free space below which an hour of full monitoring may fill the disk."""
CONNECT_S = 3.0


def doctor(config: Path, *, as_json: bool) -> bool:
    """Print the result of each check. Return False if a result is `wrong`. Raises `SettingsError` where the settings
    cannot be read."""
    settings = load(config)
    findings = [SETTINGS.well(f"{config} is complete and consistent."), *_findings(settings)]
    if as_json:
        print_json_lines(asdict(finding) for finding in findings)
    else:
        print_table("", ("", "", ""), [(each.grade, each.subject, each.sentence) for each in findings])
    return all(finding.grade != "wrong" for finding in findings)


def _findings(settings: Settings) -> Iterator[Finding]:
    status = asyncio.run(_query_gateway(settings))
    yield from _state_dir(settings)
    if os.access(settings.gateway.state_dir, os.R_OK | os.X_OK):
        yield from _state(settings, status)
    yield from _clock()
    yield from _links(settings)
    if settings.bluetooth is not None:
        yield from bluetooth_findings(settings, status)
    if settings.mqtt is None:
        yield UPLINK.unwise("There is no [mqtt] section: everything stays in the vehicle; add one to send.")
    else:
        yield from _broker(settings.mqtt)
        yield from _uplink(status)
    if settings.crew is not None:
        yield from crew_findings(settings, settings.crew)


def _state(settings: Settings, status: dict[str, Any] | None) -> Iterator[Finding]:
    try:
        identity = Identity.load(settings.identity_dir)
    except IdentityUnusable as error:
        yield KEYS.wrong(str(error))
    else:
        yield from _keys(identity)
        yield from secret_findings(identity, settings.mqtt)
        yield from store_findings(settings, identity, status)
    yield from _disk(settings)


async def _query_gateway(settings: Settings) -> dict[str, Any] | None:
    try:
        return await query(settings.control_path, "status")
    except ControlUnavailable:
        return None


def _state_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.gateway.state_dir
    if not folder.is_dir():
        yield STATE.wrong(f"{folder} does not exist: nothing can be kept; run argus-gateway provision.")
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield STATE.wrong(
            f"{folder} may not be entered by this user: its keys and its store were not looked at; "
            "run this as the gateway's user, or correct the folder's owner."
        )
    elif not os.access(folder, os.W_OK):
        yield STATE.wrong(f"{folder} is not writable for this user: nothing can be kept; correct its owner.")
    elif stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield STATE.unwise(f"{folder} is open to other users, who can see when data came; chmod it to 0700.")


def _keys(identity: Identity) -> Iterator[Finding]:
    if identity.store_key_protected:
        yield KEYS.well("The store's key comes from a systemd credential.")
    else:
        yield KEYS.unwise(
            "The store's key lies in a 0600 file, which does not protect the data on a stolen disk; "
            "give it as a systemd credential (LoadCredentialEncrypted=argus-store-key), TPM-bound if you can."
        )


def secret_findings(identity: Identity, mqtt: MqttSection | None) -> Iterator[Finding]:
    """Yield findings about the keys of the identity and the secrets that `[mqtt]` names."""
    plain = [
        f"{path} is a key in plain: a stolen disk can use it; restart the gateway, which seals it and removes the file."
        for path in identity.plain_files
    ]
    for path, name in _named(mqtt):
        if not path.exists():
            yield from _sealed(identity, path, name)
        elif not os.access(path, os.R_OK):
            yield UPLINK.wrong(f"{path} cannot be read: the broker will refuse us; correct its owner.")
        elif not is_credential(path):
            plain.append(
                f"{path} holds a secret in plain: a stolen disk can use it; the gateway seals it when it connects. "
                "If the file remains, the gateway has no permission to remove it: remove it as root."
            )
    yield from (SECRETS.unwise(sentence) for sentence in plain)
    if not plain:
        yield SECRETS.well("The keys and the broker's password are sealed with the store's key.")


def _named(mqtt: MqttSection | None) -> Iterator[tuple[Path, str]]:
    if mqtt is not None and mqtt.password_file is not None:
        yield mqtt.password_file, PASSWORD_NAME
    if mqtt is not None and mqtt.key_file is not None:
        yield mqtt.key_file, KEY_NAME


def _sealed(identity: Identity, path: Path, name: str) -> Iterator[Finding]:
    """Yield a finding if the file `path` does not exist and its sealed (encrypted) copy is missing or damaged."""
    try:
        if identity.secrets.read_sealed(path, name) is not None:
            return
        sentence = f"{path} is not there, and nothing was sealed of it: the broker will refuse us; put the file there."
    except SecretDamaged as error:
        sentence = f"{error.path} does not open: the broker will refuse the gateway; put {path} there again."
    except OSError as error:
        sentence = f"{path} cannot be read ({error.strerror}): the broker will refuse us; correct its owner."
    yield UPLINK.wrong(sentence)


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.gateway.state_dir
    if not folder.exists():
        return
    free, budget = shutil.disk_usage(folder).free, settings.buffer.disk_budget_mb << 20
    used = settings.store_path.stat().st_size if settings.store_path.exists() else 0
    if free < FREE_BYTES_MIN:
        yield DISK.wrong(
            f"{folder} has {free >> 20} MB left: a full disk makes the gateway refuse observations; make room."
        )
    elif used + free < budget:
        yield DISK.unwise(
            f"The budget of {budget >> 20} MB does not fit the {(used + free) >> 20} MB that {folder} can give: the "
            "disk fills before the oldest waveforms are dropped; lower [buffer] disk_budget_mb or enlarge the disk."
        )
    else:
        yield DISK.well(f"{free >> 20} MB are free in {folder}.")


def _clock() -> Iterator[Finding]:
    if SystemClock().wall_us() < BUILD_US:
        yield CLOCK.wrong(
            "The clock is before this software was made: times are estimates until it is set; start a time service."
        )
    elif kernel_error_us() is None:
        yield CLOCK.unwise(
            "Nothing disciplines the clock: times of observations may be off by an unknown amount and are marked so; "
            "start a time service (chrony, systemd-timesyncd)."
        )
    else:
        yield CLOCK.well("The kernel reports that the clock is synchronised.")


def _links(settings: Settings) -> Iterator[Finding]:
    for port in settings.serial:
        if not port.path.exists():
            yield SERIAL.unwise(
                f"{port.path} is not there: its device cannot connect until it is; plug it in or correct the path."
            )
        elif not os.access(port.path, os.R_OK | os.W_OK):
            yield SERIAL.wrong(
                f"{port.path} may not be opened by this user: its device cannot connect; add it to the group dialout."
            )
        else:
            yield SERIAL.well(f"{port.path} is there.")
    if settings.tcp is not None:
        yield from _listener(settings.tcp.listen)
    if not settings.serial and settings.tcp is None and settings.bluetooth is None:
        yield LINKS.wrong("No [[serial]], [tcp] or [ble]: no device can connect; add one.")


def _listener(listen: Address) -> Iterator[Finding]:
    """Yield a finding about the TCP listener's address, because every machine that reaches it can pose as a device."""
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)}
    except OSError as error:
        why = error.strerror or type(error).__name__
        yield TCP.wrong(f"{listen.host} is no address of this machine ({why}): no device can connect; correct it.")
        return
    if all(_only_the_vehicle(ipaddress.ip_address(each.partition("%")[0])) for each in found):
        yield TCP.well(f"{listen} is reached from this machine or a private network only.")
    else:
        yield TCP.unwise(
            f"{listen} is reached from every network that this machine is in, and devices are not authenticated: "
            "every machine there can send values as a patient's; listen on the address of the vehicle's own network."
        )


def _only_the_vehicle(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # "Any address" counts as private to Python, since no machine can be reached at it.
    return (address.is_loopback or address.is_private or address.is_link_local) and not address.is_unspecified


def _broker(mqtt: MqttSection) -> Iterator[Finding]:
    parts = urlsplit(mqtt.url)
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    files = {mqtt.ca_file, mqtt.cert_file} - {None}
    for path in sorted(str(each) for each in files):
        if not os.access(path, os.R_OK):
            yield UPLINK.wrong(f"{path} cannot be read: the broker will refuse us; correct its path or owner.")
    try:
        socket.create_connection((parts.hostname or "", port), CONNECT_S).close()
    except OSError as error:
        why = error.strerror or type(error).__name__
        yield UPLINK.unwise(
            f"{parts.hostname}:{port} cannot be reached ({why}): data waits in the vehicle; check the network."
        )
    else:
        yield UPLINK.well(f"{parts.hostname}:{port} accepts connections.")


def _uplink(status: dict[str, Any] | None) -> Iterator[Finding]:
    uplink = status["uplink"] if status is not None else None
    if uplink is None:
        return
    if uplink["contested"]:
        yield IDENTITY.wrong(
            "Another gateway claims this gateway's identity: the cloud sets batches aside; find the copy of this disk, "
            "and provision it as a gateway of its own."
        )
    elif not uplink["connected"] and uplink["last_error"]:
        yield UPLINK.unwise(f"The gateway is not connected ({uplink['last_error']}): data waits; check the broker.")
