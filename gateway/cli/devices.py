"""Commands `argus-gateway devices`, `devices show ID`, `devices accept ID` and `devices revoke ID`.

Devices and reports come from the running gateway, otherwise from its files, with the same fields. `device_pages` prints
a report for people.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.buffer import Buffer
from gateway.cli.device_pages import print_report
from gateway.cli.output import print_json, print_json_lines, print_table
from gateway.cli.refusal import Refusal
from gateway.cli.stopped import opened
from gateway.console.control import ControlUnavailable, query
from gateway.console.device_view import report_json
from gateway.console.status import devices_json
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sessions.devices.acceptance import Acceptance
from gateway.sessions.devices.history import DeviceHistory
from gateway.sessions.devices.history_encoding import decode_history
from gateway.sessions.devices.known_devices import known_devices
from gateway.sessions.devices.roster import Roster
from gateway.sessions.journal import Journal
from gateway.settings import Settings, load
from gateway.transports.clock import SystemClock

_NAMED_MAX = 5
"""Maximum of devices that a refusal lists."""


def show_devices(config: Path, *, as_json: bool) -> None:
    found = asyncio.run(_devices(load(config)))
    if as_json:
        print_json_lines(found)
        return
    print_table(
        f"{len(found)} devices",
        ("device", "model", "link", "known by", "last seen"),
        [
            (
                each["system_id"],
                _name(each),
                each["link"] or "–",
                _standing(each),
                "now" if each["connected"] else (each["last_seen"] or "")[:19],
            )
            for each in found
        ],
    )


def show_device(config: Path, named: str, *, as_json: bool) -> None:
    report = asyncio.run(_report(load(config), named))
    if as_json:
        print_json(report)
    else:
        print_report(report)


def judge_device(config: Path, named: str, *, accept: bool, as_json: bool) -> None:
    """Accept a device whose link does not prove its identity, or revoke the acceptance."""
    settings = load(config)
    system_id, changed = asyncio.run(_judge(settings, named, "accept" if accept else "revoke"))
    if as_json:
        print_json({"system_id": system_id, "accepted": accept, "changed": changed})
        return
    standing = "is accepted" if accept else "is not accepted"
    print(f"{system_id} {standing}{'' if changed else ' (as before)'}")  # noqa: T201
    if changed:
        print(_ACCEPTED if accept else _REVOKED)  # noqa: T201


_ACCEPTED = "What it sends from now on carries no flag. Values that are stored already keep the flag unverified_link."
_REVOKED = "What it sends over TCP from now on carries the flag unverified_link."


def device_named(named: str, devices: Sequence[dict[str, Any]]) -> str:
    """Return the system id of the one device that `named` identifies. `named` is a system id, the beginning of one, a
    model, a name, or a part of a name. Raises `Refusal` for no device or several."""
    wanted = named.strip().lower()
    digits = wanted.replace(":", "").replace("-", "").removeprefix("0x")
    ids = [each["system_id"] for each in devices]
    if digits in ids:
        return digits
    exact = [each["system_id"] for each in devices if wanted in (each["model"].lower(), _name(each).lower())]
    beginning = [each for each in ids if digits and each.startswith(digits)]
    within = [each["system_id"] for each in devices if wanted and wanted in _name(each).lower()]
    found = exact or beginning or within
    if len(found) == 1:
        return str(found[0])
    if not devices:
        raise Refusal("this gateway has met no device yet")
    if not found:
        raise Refusal(f"no device here is called {named}: `argus-gateway devices` lists them")
    more = f" and {len(found) - _NAMED_MAX} more" if len(found) > _NAMED_MAX else ""
    raise Refusal(f"{named} means {len(found)} devices: {', '.join(found[:_NAMED_MAX])}{more}; write more of the id")


def _standing(each: dict[str, Any]) -> str:
    # A running gateway of an earlier version does not report it.
    link_class = each.get("link_class") or "–"
    if each.get("accepted_at"):
        return f"{link_class}, accepted"
    return f"{link_class}, unverified" if each.get("unverified") else link_class


def _name(each: dict[str, Any]) -> str:
    return " ".join(filter(None, (each["manufacturer"], each["model"])))


async def _devices(settings: Settings) -> list[dict[str, Any]]:
    try:
        return list((await query(settings.control_path, "devices"))["devices"])
    except ControlUnavailable:
        async with opened(settings) as buffer:
            return await _known(buffer)


async def _report(settings: Settings, named: str) -> dict[str, Any]:
    try:
        devices = list((await query(settings.control_path, "devices"))["devices"])
        system_id = device_named(named, devices)
        reply = await query(settings.control_path, "device", about=system_id)
        report = reply.get("report")
    except ControlUnavailable:
        async with opened(settings) as buffer:
            system_id = device_named(named, await _known(buffer))
            report = await _kept(buffer, system_id)
    if report is None:
        raise Refusal(f"nothing is kept of {system_id} but its name: it has not associated since this release runs")
    return dict(report)


async def _judge(settings: Settings, named: str, verb: str) -> tuple[str, bool]:
    try:
        devices = list((await query(settings.control_path, "devices"))["devices"])
        system_id = device_named(named, devices)
        reply = await query(settings.control_path, verb, about=system_id)
        if "changed" not in reply:
            raise Refusal("the gateway that runs is of an earlier version: restart it first")
        return system_id, bool(reply["changed"])
    except ControlUnavailable:
        async with opened(settings) as buffer:
            reports = {each.system_id: each for each in await _reports(buffer)}
            known = known_devices(await buffer.devices(), reports.get, await buffer.ble_devices())
            system_id = device_named(named, devices_json(known, []))
            roster, clock = Roster(), TrustedClock(SystemClock())
            roster.load([], known)
            acceptance = Acceptance(roster, buffer, Journal(buffer, clock), clock)
            return system_id, await (acceptance.accept if verb == "accept" else acceptance.revoke)(system_id)


async def _known(buffer: Buffer) -> list[dict[str, Any]]:
    reports = {each.system_id: each for each in await _reports(buffer)}
    return devices_json(known_devices(await buffer.devices(), reports.get, await buffer.ble_devices()), [])


async def _reports(buffer: Buffer) -> list[DeviceHistory]:
    return [report for octets in await buffer.device_reports() if (report := decode_history(octets)) is not None]


async def _kept(buffer: Buffer, system_id: str) -> dict[str, Any] | None:
    for report in await _reports(buffer):
        if report.system_id == system_id:
            wanted = (bytes.fromhex(system_id), report.config_id)
            learned = [each.octets for each in await buffer.configurations() if each[:2] == wanted]
            return report_json(report, learned[0] if learned else None)
    return None
