"""Command `argus-gateway ports`: lists the serial ports of the machine, their use in the settings, and their state.

Each source has a part of the facts. The machine has nodes, names and adapters. The settings have path, baud and
framing. The running gateway knows whether a port is open or why not, which device is on the port, and when the port's
last byte came. When a source is missing, the facts of the other sources are still shown: an operator who installs a
vehicle has no settings yet. The command opens no port.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from gateway.cli.output import age_text, print_json, print_table
from gateway.cli.refusal import refuse
from gateway.console.control import ControlUnavailable, query
from gateway.settings import SerialSection, Settings, SettingsError, load
from gateway.transports.port_list import Adapter, FoundPort, found_ports
from gateway.transports.port_trouble import holders_of, program_name


@dataclass(frozen=True, slots=True)
class Known:
    """The statements of the settings and of the running gateway about the ports. `settings` and `running` are None
    where not available; `unusable` and `not_running` then give the reason as a sentence."""

    settings: Settings | None
    running: dict[str, dict[str, Any]] | None
    """The running gateway's state of each port, by the configured path."""
    unusable: str | None
    not_running: str | None


def show_ports(config: Path, *, as_json: bool) -> None:
    """Print the serial ports. If the settings cannot be used, raise typer.Exit(1) after printing the ports."""
    known = _known(config)
    facts = _facts(known)
    if as_json:
        print_json({"running": known.running is not None, "ports": facts})
    else:
        _print(facts)
    if known.unusable is not None:
        raise refuse(f"{known.unusable}; so it is not known which of these ports the gateway uses")
    if known.not_running is not None:
        typer.echo(f"argus-gateway: {known.not_running}; so it is not known how the ports are", err=True)


def _known(config: Path) -> Known:
    try:
        settings = load(config)
    except SettingsError as error:
        return Known(None, None, str(error), None)
    try:
        reply = asyncio.run(query(settings.control_path, "ports"))
    except ControlUnavailable as error:
        return Known(settings, None, None, str(error))
    # A running gateway of an earlier version does not know the request.
    return Known(settings, {each["path"]: each for each in reply.get("ports", ())}, None, None)


def _facts(known: Known) -> list[dict[str, Any]]:
    """Return the ports that the machine has, followed by the ports that the settings name but the machine does not
    have."""
    used = {section: os.path.realpath(section.path) for section in (known.settings.serial if known.settings else ())}
    found = found_ports(besides=used.values())
    there = {port.node for port in found}
    missing = [section for section, node in used.items() if node not in there]
    facts = [_fact(port, [each for each, node in used.items() if node == port.node], known) for port in found]
    return facts + [_fact(None, [section], known) for section in missing]


def _fact(port: FoundPort | None, sections: Sequence[SerialSection], known: Known) -> dict[str, Any]:
    node = None if port is None else port.node
    return {
        "node": node,
        "names": [] if port is None else list(port.names),
        "adapter": None if port is None or port.adapter is None else asdict(port.adapter),
        "held_by": [] if node is None else [{"process": pid, "program": program_name(pid)} for pid in holders_of(node)],
        "used_as": [_use(section, known) for section in sections],
    }


def _use(section: SerialSection, known: Known) -> dict[str, Any]:
    path = str(section.path)
    state = None if known.running is None else known.running.get(path)
    return {
        "path": path,
        "baud": section.baud,
        "framing": section.framing,
        "state": state,
        "says": _describe(section, state, known),
    }


def _describe(section: SerialSection, state: dict[str, Any] | None, known: Known) -> str:
    """Return a sentence about the state of a port that the settings use. `state`: the port in the running gateway's
    status."""
    if state is None:
        if not section.path.exists():
            where = f"leads to {os.path.realpath(section.path)}, which" if section.path.is_symlink() else "it"
            return f"{where} is not there: plug the device in, or correct the path"
        return "unknown: no gateway runs" if known.running is None else "unknown: the gateway runs with other settings"
    if not state["open"]:
        return state["why"] or "it is about to be opened"
    for_s, silent_s = age_text(state["open_s"]), state["silent_s"]
    heard = "no byte has come yet" if silent_s is None else f"the last byte came {age_text(silent_s)} ago"
    device = f"{state['model'] or 'a device'} ({state['device']})" if state["device"] else "no device"
    damaged = f"; {state['frames_dropped']} frames were damaged on the way" if state["frames_dropped"] else ""
    wrong = f". {state['why']}" if state["why"] else ""
    return f"open for {for_s}, {device} is associated, {heard}{damaged}{wrong}"


def _print(facts: Sequence[dict[str, Any]]) -> None:
    if not facts:
        typer.echo(
            "This machine has no serial port: plug an adapter in, and look at the kernel's log when none appears."
        )
    for fact in facts:
        print_table("", ("port", fact["node"] or "–"), _rows(fact))


def _rows(fact: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if fact["adapter"] is not None:
        rows.append(("adapter", adapter_text(Adapter(**fact["adapter"]))))
    rows += [("name", name) for name in fact["names"]]
    for use in fact["used_as"]:
        rows += [
            ("used as", f"[[serial]] path = {use['path']}, {use['baud']} baud, framing {use['framing']}"),
            ("now", use["says"]),
        ]
    if not fact["used_as"]:
        rows.append(("used as", "– (no [[serial]] section names it)"))
    if fact["held_by"]:
        holders = ", ".join(f"{each['program']} (process {each['process']})" for each in fact["held_by"])
        rows.append(("held by", holders))
    return rows


def adapter_text(adapter: Adapter) -> str:
    """Return an adapter's names, ids and serial number, and the USB socket that it is plugged into."""
    named = " ".join(filter(None, (adapter.vendor, adapter.product))) or "USB"
    serial = f"serial number {adapter.serial_number}" if adapter.serial_number else "without a serial number"
    where = f", plugged in at {adapter.location}" if adapter.location else ""
    return f"{named} ({adapter.vendor_id}:{adapter.product_id}), {serial}{where}"
