"""Queries to the running gateway over its control socket, since starting a program twice a second would be too slow."""

from pathlib import Path
from typing import Any

from gateway.console.control import ControlUnavailable, query


async def query_gateway(socket_file: Path, name: str) -> dict[str, Any] | None:
    """Send the query `name` to the gateway and return its response; None where there is no response."""
    try:
        return await query(socket_file, name)
    except ControlUnavailable:
        return None
