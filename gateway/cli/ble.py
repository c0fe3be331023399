"""Commands `argus-gateway ble scan | pair | list | forget`, which the running gateway executes with its adapter.

Without a running gateway only `list` works, from the store. The gateway sends whole sentences; this module prints them
and sends the operator's replies to the gateway (protocol: `gateway/console/ble_desk`).
"""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from gateway.cli.output import print_json, print_json_lines, print_table, table_of
from gateway.cli.refusal import Refusal
from gateway.cli.stopped import opened
from gateway.console.ble_view import paired_json, passkey_of
from gateway.console.control import ControlUnavailable, Conversation, query
from gateway.settings import Settings, load

ASK_EVERY_S = 1.0
_NONE = "the settings want no Bluetooth: add a [ble] section (systemd/gateway.toml shows every setting)"


def scan(config: Path, *, seconds: float, as_json: bool) -> None:
    """Print the advertising devices: continuously on a terminal, otherwise once at the end."""
    found = asyncio.run(_scan(load(config), seconds, live=sys.stdout.isatty() and not as_json))
    if as_json:
        print_json_lines(found["heard"])
    elif not sys.stdout.isatty():
        _print_heard(found)
    if found["trouble"]:
        raise Refusal(f"Bluetooth cannot be used now: {found['trouble']}")


def list_paired(config: Path, *, as_json: bool) -> None:
    running, paired = asyncio.run(_paired(load(config)))
    if as_json:
        print_json_lines(paired)
        return
    print_table(
        f"{_devices(len(paired))} paired",
        ("device", "address", "now", "bond", "last seen"),
        [
            (
                each["name"] or "–",
                each["address"],
                _now(each, running),
                "yes" if each["bonded"] else "none",
                (each["last_seen"] or "never")[:19].replace("T", " "),
            )
            for each in paired
        ],
    )
    for each in paired:
        if each["trouble"]:
            typer.echo(f"\n{each['name'] or each['address']}: {each['trouble']}")
    if not running:
        typer.echo("No gateway runs: this is from its store.", err=True)


def pair(
    config: Path, address: str, *, passkey: str | None, yes: bool, without_bond: bool, again: bool, as_json: bool
) -> None:
    if not yes and as_json:
        raise Refusal("--json does not prompt: give --yes too, when you are sure of the address")
    request = {
        "ask": "ble pair",
        "address": address,
        "passkey": passkey,
        "yes": yes,
        "without_bond": without_bond,
        "again": again,
    }
    last = asyncio.run(_converse(load(config), request, quiet=as_json))
    if as_json:
        print_json(last["done"])
        return
    device = last["done"]
    typer.echo(f"{last['says']} {device['name'] or 'It'} ({device['address']}) offers {device['offers']}.")


def forget(config: Path, address: str, *, as_json: bool) -> None:
    last = asyncio.run(_converse(load(config), {"ask": "ble forget", "address": address}, quiet=True))
    if as_json:
        print_json(last)
    else:
        typer.echo(last["says"])


# ---- requests


async def _query_bluetooth(settings: Settings) -> dict[str, Any]:
    reply = await query(settings.control_path, "ble")
    if not reply.get("bluetooth"):
        # A running gateway of an earlier version does not know the request.
        raise Refusal(
            "the running gateway is of an earlier version: restart it" if "error" in reply else reply["why"] or _NONE
        )
    return reply


async def _paired(settings: Settings) -> tuple[bool, list[dict[str, Any]]]:
    try:
        return True, list((await _query_bluetooth(settings))["paired"])
    except ControlUnavailable:
        async with opened(settings) as buffer:
            seen = {each.system_id: each.last_seen_us for each in await buffer.devices()}
            devices = await buffer.ble_devices()
            return False, [paired_json(each, last_seen_us=seen.get(each.system_id)) for each in devices]


async def _scan(settings: Settings, seconds: float, *, live: bool) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds
    found = await _query_bluetooth(settings)
    if not live:
        await asyncio.sleep(seconds)
        return await _query_bluetooth(settings)
    from rich.live import Live

    with Live(_heard_table(found), auto_refresh=False) as screen:
        while (left_s := until_s - loop.time()) > 0:
            await asyncio.sleep(min(ASK_EVERY_S, left_s))
            found = await _query_bluetooth(settings)
            screen.update(_heard_table(found), refresh=True)
    return found


async def _converse(settings: Settings, request: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """Send a request and the operator's replies to the running gateway; return the gateway's final line. Raises
    `Refusal` when the request fails."""
    await _query_bluetooth(settings)
    async with Conversation(settings.control_path, request) as conversation:
        async for line in conversation.lines():
            if "question" in line:
                conversation.reply(_read_reply(line))
            elif "step" in line:
                if not quiet:
                    typer.echo(line["says"])
            elif "done" in line:
                return line
            else:
                raise Refusal(f"{line['happened']} {line['to_do']}")
    raise ControlUnavailable("the gateway ended the conversation: it is stopping, or the time was over")


def _read_reply(line: dict[str, Any]) -> Any:
    """Prompt the operator and return the reply to the gateway's question. Blocks the event loop during the prompt."""
    with _interruptible():
        if line["question"] == "passkey":
            digits = _typed(f"{line['says']} Type them: ")
            return passkey_of((digits or "").replace(" ", "").replace("-", ""))
        shown = f" {line['passkey']}" if line.get("passkey") else ""
        reply = _typed(f"{line['says']}{shown} [y/N]: ")
        return (reply or "").lower() in {"y", "yes"}


def _typed(prompt: str) -> str | None:
    try:
        return input(prompt).strip()
    except EOFError:
        typer.echo()
        return None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the program during a prompt. The prompt blocks the event loop, so asyncio's own handler cannot
    run."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# ---- laying out


def _print_heard(found: dict[str, Any]) -> None:
    from rich.console import Console

    Console().print(_heard_table(found))


def _heard_table(found: dict[str, Any]) -> Any:
    return table_of(
        f"{_devices(len(found['heard']))} heard in the last minute",
        ("name", "address", "offers", "signal", ""),
        [
            (each["name"] or "–", each["address"], each["offers"] or "–", f"{each['rssi']} dBm", _standing(each))
            for each in found["heard"]
        ],
    )


def _devices(count: int) -> str:
    return f"{count} Bluetooth device{'' if count == 1 else 's'}"


def _standing(each: dict[str, Any]) -> str:
    if each["paired"]:
        return "paired"
    return "uses the name of a paired device" if each["namesake_of"] else "not paired"


def _now(each: dict[str, Any], running: bool) -> str:
    if not running:
        return "–"
    return "connected" if each["connected"] else "in trouble" if each["trouble"] else "not connected"
