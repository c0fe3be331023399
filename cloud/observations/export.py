"""Export observations in the one JSON form of DESIGN §5, as a stream.

The form itself is `protocols.observation_record`'s, so gateway and cloud print the same; this only reads and hands on.
"""

from collections.abc import AsyncIterator

from cloud.db import Database
from cloud.devices import Devices
from cloud.observations.reading import ObservationReader
from cloud.tenancy import Viewer
from protocols.observation_record import Json, to_json, utc_text


async def export_observations(
    database: Database,
    viewer: Viewer,
    devices: Devices,
    *,
    device: str | None = None,
    since_us: int | None = None,
    hidden: bool = False,
    commit_time: bool = False,
) -> AsyncIterator[dict[str, Json]]:
    """One object an observation, ordered by device, observed time, sequence and index.

    `device` is the cloud's id or the device's own system id; `since_us` leaves out what was observed before. `hidden`
    adds devices that nobody enrolled. `commit_time` adds `committed_at`: when the cloud stored it, by its own clock.
    """
    reader = ObservationReader(database, viewer, devices, hidden=hidden)
    async for found in reader.read(device=device, since_us=since_us):
        document = to_json(found.record)
        if commit_time:
            document["committed_at"] = utc_text(found.stored_at_us)
        yield document
