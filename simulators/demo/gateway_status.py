"""Queries the status of the running gateway over its control socket, as `argus-gateway status` does.

The demo's view queries every half second, for which starting a program would be too expensive. Each request is one
line, and so is each response; a gateway that is down or silent is None, which the view shows as such.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

ANSWER_S = 2.0
ANSWER_BYTES_MAX = 1 << 20


async def query_gateway(socket_file: Path, question: str) -> dict[str, Any] | None:
    """Return the response to `question`, None where there is none in time."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(str(socket_file), limit=ANSWER_BYTES_MAX)
            try:
                writer.write(json.dumps({"ask": question}).encode() + b"\n")
                await writer.drain()
                answer = json.loads(await reader.readline())
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError):
        return None
    return answer if isinstance(answer, dict) else None
