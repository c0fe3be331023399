"""The devices of an export with all attributes that describe them: as enrolled, and as they describe themselves.

Each observation gets the description that was valid when its gateway received it. Both times are by the clock of the
gateway, so a gateway that did not know the time gives the right description too. The observations of a device follow
each other in an export, so its row and its history are read once.
"""

from cloud.clinical.devices import (
    DescribedTimes,
    Device,
    Devices,
    ValidDescription,
    read_described_times,
    shown_description,
)
from cloud.clinical.observations.reading import ReadObservation
from cloud.foundation.db import Database
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Viewer
from protocols.observation_record import Json
from protocols.uplink.channels import DeviceRef


class ExportedDevices:
    """Makes the objects of devices for one export."""

    def __init__(self, database: Database, viewer: Viewer, devices: Devices) -> None:
        self._database = database
        self._viewer = viewer
        self._devices = devices
        self._device_id: str | None = None
        self._device: Device | None = None
        self._times = DescribedTimes(())
        self._last: tuple[DeviceRef, ValidDescription | None, dict[str, Json]] | None = None

    async def open(self, device_id: str) -> None:
        """Read a device and its history, unless it is the one of the last call. Raises `DescriptionsTooMany`."""
        if device_id == self._device_id:
            return
        async with self._database.read() as tx:
            self._device = await self._devices.find(tx, self._viewer, device_id, hidden=True)
            self._times = await read_described_times(tx, self._viewer, device_id)
        self._device_id = device_id
        self._last = None

    def complete(self, named: dict[str, Json], found: ReadObservation) -> dict[str, Json]:
        """Return the object `named` of an observation's device with all attributes. The caller has opened the device,
        and does not change the result, which consecutive observations share."""
        record = found.record
        valid = self._times.valid_at(record.received_at_us, unverified=record.device.unverified_link)
        if self._last is None or self._last[0] is not record.device or self._last[1] is not valid:
            self._last = record.device, valid, {**named, **self._attributes(found.device_id, valid)}
        return self._last[2]

    def _attributes(self, device_id: str, valid: ValidDescription | None) -> dict[str, Json]:
        device = self._device
        return {
            "id": device_id,
            "device_class": None if device is None else device.device_class,
            "manufacturer": None if device is None else device.manufacturer,
            "serial_number": None if device is None else device.serial_number,
            "described_at": None if valid is None else write_moment(valid.from_us),
            "description": None if valid is None else shown_description(valid.description),
        }
