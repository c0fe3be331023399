"""Command `argus-gateway capture`: records the running gateway's link traffic in a file, for `replay` and tests.

The command writes the file, not the gateway, so that the file belongs to the operator and a full disk ends only the
capture. The file has mode 0600 from its first byte, because it holds patient data.
"""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import typer

from gateway.cli.refusal import Refusal
from gateway.console.control import ControlUnavailable, listen, query
from gateway.settings import Settings, load
from gateway.transports.capture import CaptureWriter, ConnectionCapture


def capture(config: Path, output: Path, *, link: str | None, seconds: float | None, limit_bytes: int) -> None:
    """Record the traffic of the gateway's links in `output` until Ctrl-C, until `seconds` have passed, until the file
    has its maximum size, or until the gateway stops."""
    settings = load(config)
    if link is not None:
        asyncio.run(_check(settings, link))
    meta = {"gateway": settings.gateway.id, "link": link, "started_at_us": time.time_ns() // 1000}
    try:
        writer = CaptureWriter(output, limit_bytes, meta=meta, started_s=time.monotonic())
    except FileExistsError:
        raise Refusal(f"{output} exists: a capture never replaces a file; name another one") from None
    try:
        count, end = asyncio.run(_record(settings.control_path, link, seconds, writer))
    except ControlUnavailable:
        writer.close()
        output.unlink(missing_ok=True)
        raise
    ended = writer.ended
    writer.close()
    typer.echo(f"{count} reads of {'all links' if link is None else link} written to {output}", err=True)
    if reason := ended or end:
        raise Refusal(f"the capture stopped early: {reason}")


async def _check(settings: Settings, link: str) -> None:
    """Raise `Refusal` for an unknown link. A configured port or Bluetooth device need not be connected yet."""
    status = await query(settings.control_path, "status")
    present = [str(each["link"]) for each in status["sessions"]]
    ports = [f"serial:{port.path}" for port in settings.serial]
    if link in present or link in ports or link.startswith("ble:"):
        return
    known = ", ".join(dict.fromkeys([*present, *ports])) or "none"
    raise Refusal(f"no link is called {link}: `argus-gateway status` shows the links; now: {known}")


async def _record(path: Path, link: str | None, seconds: float | None, writer: CaptureWriter) -> tuple[int, str | None]:
    """Write the traffic to `writer`. Return the number of records, and a reason if the gateway ended the capture."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    connections: dict[int, ConnectionCapture] = {}
    count, end = 0, None

    async def read() -> None:
        nonlocal count, end
        async for line in listen(path, link):
            if "listening" in line:
                typer.echo("listening; Ctrl-C stops", err=True)
            elif "end" in line:
                end = str(line["end"])
            else:
                _write(line, connections, writer)
                count += 1
            if writer.ended is not None:
                return

    reading = asyncio.ensure_future(read())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([reading, stopping], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if reading.done():
        reading.result()
    else:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return count, end


def _write(line: dict[str, Any], connections: dict[int, ConnectionCapture], writer: CaptureWriter) -> None:
    number = int(line["conn"])
    if number not in connections:
        connections[number] = writer.connection()
    connection, octets, at_s = connections[number], bytes.fromhex(line["hex"]), float(line["at_s"])
    attribute = line.get("gatt")
    if attribute is None:
        connection.trace(line["direction"], octets, at_s)
    else:
        connection.value(line["direction"], (attribute[0], attribute[1]), octets, at_s)
