"""Export observations in the one JSON form of DESIGN §5, as a stream.

`protocols.observation_record` defines the form, so gateway and cloud print the same. In an observation that an
application posted, the fields that describe a gateway are null, `origin` is "api", `type` is the code as the
application wrote it, and `id`, `device_id` and `unit_code` are added. On request, `device` also has the attributes that
describe the device (`exported_devices`).
"""

from collections.abc import AsyncIterator, Mapping

from cloud.clinical.devices import Devices
from cloud.clinical.observations.exported_devices import ExportedDevices
from cloud.clinical.observations.reading import ObservationReader, Posting, ReadObservation
from cloud.clinical.observations.received_batches import ReceivedBatches
from cloud.foundation.db import Database
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Viewer
from protocols.observation_record import Json, to_json, utc_text


async def export_observations(
    database: Database,
    viewer: Viewer,
    devices: Devices,
    received: ReceivedBatches,
    *,
    objects: ObjectStore | None = None,
    device: str | None = None,
    since_us: int | None = None,
    hidden: bool = False,
    commit_time: bool = False,
    attributes: bool = False,
) -> AsyncIterator[dict[str, Json]]:
    """Yield one object for each observation, ordered by device, observed time, sequence and index. `device` is the
    cloud's id or the device's own system id. `objects` is the object store of the settings. `hidden` includes devices
    that were not enrolled. `commit_time` adds `committed_at`: the time by the cloud's clock at which the cloud stored
    the observation. `attributes` adds to `device` how it is enrolled, and how it described itself when the gateway
    received the observation."""
    reader = ObservationReader(database, viewer, devices, received, objects=objects, hidden=hidden)
    shown = ExportedDevices(database, viewer, devices) if attributes else None
    async for found in reader.read(device=device, since_us=since_us):
        document = to_json(found.record)
        if found.posted is not None:
            document |= _of_application(found, found.posted)
        if shown is not None:
            await shown.open(found.device_id)
            document["device"] = shown.complete(device_of(document), found)
        if commit_time:
            document["committed_at"] = utc_text(found.stored_at_us)
        yield document


def device_of(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return the object of the device of an exported observation."""
    device = document["device"]
    assert isinstance(device, dict), "an observation has a device"
    return device


def _of_application(found: ReadObservation, posted: Posting) -> dict[str, Json]:
    """Return the fields in which an observation posted by an application differs from one of a gateway. Fields that
    describe a gateway are null."""
    device = found.record.device
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
        "device_id": found.device_id,
        "unit_code": posted.unit_code,
    }
