"""Export observations in the one JSON form of DESIGN §5, as a stream.

The form itself is `protocols.observation_record`'s, so gateway and cloud print the same; this only reads and hands on.
What an application posted has the same fields, null where no gateway took part, and says so: `origin` is "api", beside
its `id`, `device_id` and `unit_code`; `type` is the code as it was posted where the nomenclature has no number for it.
"""

from collections.abc import AsyncIterator

from cloud.clinical.devices import Devices
from cloud.clinical.observations.reading import ObservationReader, ReadObservation, ReceivedBatches
from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer
from protocols.observation_record import Json, to_json, utc_text


async def export_observations(
    database: Database,
    viewer: Viewer,
    devices: Devices,
    received: ReceivedBatches,
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
    reader = ObservationReader(database, viewer, devices, received, hidden=hidden)
    async for found in reader.read(device=device, since_us=since_us):
        document = to_json(found.record)
        if found.posted is not None:
            document |= _of_application(found)
        if commit_time:
            document["committed_at"] = utc_text(found.stored_at_us)
        yield document


def _of_application(found: ReadObservation) -> dict[str, Json]:
    """What differs from a vehicle's. The handle and the outbox's lane are a gateway's words too."""
    device, posted = found.record.device, found.posted
    assert posted is not None
    return {
        "device": {"system_id": device.system_id or None, "model": device.model},
        "gateway": None,
        "epoch": None,
        "lane": None,
        "sequence": None,
        "index": None,
        "handle": None,
        "type": posted.mdc_code,
        "origin": "api",
        "id": posted.id,
        "device_id": posted.device_id,
        "unit_code": posted.unit_code,
    }
