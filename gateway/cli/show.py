"""Command `argus-gateway status`: from the running gateway, otherwise from its files. A running and a stopped gateway
give the same fields, so that a script handles both alike; the field `running` distinguishes them.
"""

import asyncio
from pathlib import Path
from typing import Any

from gateway.cli.output import age_text, print_json, print_table
from gateway.cli.stopped import opened
from gateway.console.control import ControlUnavailable, query
from gateway.console.status import stopped_json
from gateway.health import STORE_SILENT_S
from gateway.settings import Settings, load


def show_status(config: Path, *, as_json: bool) -> None:
    status = asyncio.run(_status(load(config)))
    if as_json:
        print_json(status)
        return
    print_table("", ("gateway", status["gateway"]), _facts(status))
    print_table(
        "\nLanes",
        ("lane", "committed", "acknowledged", "pending"),
        [
            (lane, str(mark["last"]), str(mark["acked"]), str(mark["backlog_observations"] or mark["backlog_batches"]))
            for lane, mark in status["lanes"].items()
        ],
    )
    if status["running"]:
        print_table(
            "\nLinks",
            ("link", "state", "device", "silent", "reports"),
            [_link(each) for each in status["sessions"]],
            whole=("link",),
        )


async def _status(settings: Settings) -> dict[str, Any]:
    try:
        return await query(settings.control_path, "status")
    except ControlUnavailable:
        async with opened(settings) as buffer:
            return await stopped_json(settings, buffer)


def _facts(status: dict[str, Any]) -> list[tuple[str, str]]:
    uplink, clock = status["uplink"], status["clock"]
    facts = [
        ("running", f"yes, for {age_text(status['uptime_s'])}" if status["running"] else "no"),
        ("store", f"{status['store']['state']}, {status['store']['gaps']} gap records{_silence(status['store'])}"),
        ("clock", f"{clock['wall'][:19]}Z{_doubt(clock)}"),
    ]
    if uplink is not None:
        connected = "connected" if uplink["connected"] else f"not connected: {uplink['last_error'] or 'not yet tried'}"
        facts.insert(1, ("uplink", connected))
    elif status["running"]:
        facts.insert(1, ("uplink", "none: the settings have no [mqtt]"))
    # A running gateway of an earlier version does not report these.
    if (event_loop := status.get("event_loop")) is not None:
        facts.append(("longest stall", f"{event_loop['longest_stall_s']:.3f} s of the event loop"))
    if (bluetooth := status.get("bluetooth")) is not None:
        facts.append(("bluetooth", _bluetooth(bluetooth, status["running"])))
    return facts


def _doubt(clock: dict[str, Any]) -> str:
    if clock["synchronised"]:
        return ""
    return ", not synchronised" + (": it runs on from the last known time" if clock.get("estimated") else "")


def _silence(store: dict[str, Any]) -> str:
    silent_s = store.get("silent_s")
    if silent_s is None or silent_s < STORE_SILENT_S:
        return ""
    return f"; it has not responded for {age_text(silent_s)}: nothing is recorded, check the disk"


def _bluetooth(bluetooth: dict[str, Any], running: bool) -> str:
    if bluetooth["trouble"]:
        return f"cannot be used: {bluetooth['trouble']}"
    connected = f", {bluetooth['connected']} connected" if running else ""
    troubles = f", {len(bluetooth['troubles'])} in trouble (argus-gateway ble list)" if bluetooth["troubles"] else ""
    return f"{bluetooth['paired']} paired{connected}{troubles}"


def _link(each: dict[str, Any]) -> tuple[str, ...]:
    return (
        each["link"],
        each["state"],
        f"{each['model'] or each['device'] or '–'}{', unverified' if each.get('unverified_link') else ''}",
        age_text(each["silent_s"]),
        str(each["reports"]),
    )
