"""Queries the status of the running gateway over its control socket, as `argus-gateway status` does.

The demo's view queries every half second, for which starting a program would be too expensive.
"""

from pathlib import Path
from typing import Any

from gateway.console.control import ControlUnavailable, query


async def query_gateway(socket_file: Path, name: str) -> dict[str, Any] | None:
    """Return the gateway's response, None where it is down or silent, which the view shows as such."""
    try:
        return await query(socket_file, name)
    except ControlUnavailable:
        return None
