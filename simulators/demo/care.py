"""Write the care of the demo's patient to the gateway, as the crew's tablet does: one request for each entry.

The ids of the changes follow from the encounter and the entry. So an entry is in the record once, however often the
gateway was killed before it responded, and also when the demo is started again with the same state folder.
"""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.console.control import ControlUnavailable, query
from simulators.demo.care_plan import CARE, CareEntry

AUTHOR = "crew_paramedic"
RETRY_S = 0.5
_NAMESPACE = uuid.UUID("7d0f6f0e-52f4-5b6b-9a2b-0d7f4e1c6a55")


class CareRefused(Exception):
    """The gateway refused an entry of the demo's care; the text has the gateway's reason."""


def request_of(encounter: str, entry: CareEntry, now: datetime) -> dict[str, Any]:
    """Return the request that writes `entry` at the time `now`."""
    values = {**({"time": now.isoformat(timespec="seconds")} if entry.timed else {}), **entry.values}
    changes = [
        {
            "id": str(uuid.uuid5(_NAMESPACE, f"{encounter}/{entry.group}/{entry.entry}/{name}")),
            "key": f"{entry.group}.{name}",
            "entry": entry.entry or None,
            "value": value,
            "device_time": now.isoformat(),
        }
        for name, value in values.items()
    ]
    return {"encounter": encounter, "author": AUTHOR, "changes": changes}


async def write_care(control_socket: Path, encounter: str, scenario: str) -> None:
    """Write the entries of the scenario's care at their times, from now on; return after the last. An entry is retried
    until the gateway has stored it. Raises `CareRefused`."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for entry in CARE[scenario.replace("_", "-")]:
        await asyncio.sleep(began_s + entry.at_s - loop.time())
        request = request_of(encounter, entry, datetime.now().astimezone())
        while not await _is_stored(control_socket, request):  # noqa: ASYNC110 - another process gets ready
            await asyncio.sleep(RETRY_S)


async def _is_stored(control_socket: Path, request: Mapping[str, Any]) -> bool:
    """Send a request; return False if it has to be sent again."""
    try:
        reply = await query(control_socket, "epcr append", fields=request)
    except ControlUnavailable:
        return False  # the gateway was killed, or is full
    if "stored" in reply:
        return True
    (first, *_) = reply.get("refused") or [
        {"code": "earlier_version", "text": "The gateway does not know epcr append."}
    ]
    if first["code"] == "store_full":
        return False
    if first["code"] == "id_reused":  # written by an earlier run with this state folder, at another time
        return True
    raise CareRefused(f"{first['text']} ({first['code']})")
