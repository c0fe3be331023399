"""A client of the control socket of a virtual radio."""

import asyncio
import json
from pathlib import Path
from typing import Any

from simulators.ble.control import ControlRefused

_REPLY_BYTES_MAX = 1 << 20
_REPLY_S = 30.0


async def request(control: Path, question: str, **details: Any) -> dict[str, Any]:
    """Send a request to the radio at the socket `control` and return its reply.

    Raises ControlRefused, OSError, TimeoutError.
    """
    async with asyncio.timeout(_REPLY_S):
        reader, writer = await asyncio.open_unix_connection(str(control), limit=_REPLY_BYTES_MAX)
        try:
            writer.write(json.dumps({"ask": question, **details}).encode() + b"\n")
            line = await reader.readline()
        finally:
            writer.close()
    if not line:
        raise ControlRefused("the radio has hung up; it has too many clients")
    reply: dict[str, Any] = json.loads(line)
    if "error" in reply:
        raise ControlRefused(str(reply["error"]))
    return reply


async def is_responding(control: Path) -> bool:
    """Return whether the radio responds at the socket `control`, on which it listens last. The files of its sockets
    exist before it listens on them, so they are no sign that a host can connect."""
    try:
        return bool(await request(control, "stats"))
    except OSError:
        return False
