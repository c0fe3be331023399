"""Queries the running gateway over its control socket, as `argus-gateway status` does.

The demo's view queries the status every half second, for which starting a program would be too slow.
"""

from pathlib import Path
from typing import Any

from gateway.console.control import ControlUnavailable, query


async def query_gateway(socket_file: Path, name: str) -> dict[str, Any] | None:
    """Send the query `name` to the gateway and return its response; None where the gateway is down or does not
    respond."""
    try:
        return await query(socket_file, name)
    except ControlUnavailable:
        return None
