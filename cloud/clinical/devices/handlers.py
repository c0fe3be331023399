"""Handlers of devices, and the representation of a device for partners."""

from typing import Any

from cloud.access.audit import Audit
from cloud.clinical.devices.description import shown_description, shown_power
from cloud.clinical.devices.model import Device
from cloud.clinical.devices.schemas import DeviceEnrolment, DeviceQuery
from cloud.clinical.devices.service import Enrolment
from cloud.foundation.arrivals import SETTLE, WantedDevices
from cloud.foundation.http import Json, Listing, Parts, Request, Response, link_to_next, strong_etag
from cloud.foundation.moments import write_moment


class DeviceHandlers:
    """Handlers of `GET /api/v1/devices` and `POST /api/v1/devices/enrol`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settle = parts.supplies[SETTLE](parts)
        self._audit = Audit(parts.clock)
        self._enrolment = Enrolment(parts.database, parts.clock, parts.ids)

    async def list(self, request: Request) -> Response:
        """Return a page of devices, with the address of the next page in the header `Link` (contract A-103)."""
        query, viewer = request.query, request.viewer
        assert isinstance(query, DeviceQuery)
        await self._settle(waveforms=False, of=WantedDevices(viewer.tenant_id))
        filters = {"vehicle_id": query.vehicle_id}
        listing = Listing(cursors=self._parts.cursors, viewer=viewer, route=request.route.name, filters=filters)
        page = await listing.read_page(
            query.cursor,
            query.limit,
            lambda after, count: self._enrolment.list(viewer, vehicle_id=query.vehicle_id, after=after, count=count),
            lambda device: device.id,
        )
        link = link_to_next(self._parts.bases, request, page.next_cursor)
        response = Json([shown(device) for device in page.rows], headers=link)
        response.etag = strong_etag(response.body)
        return response

    async def enrol(self, request: Request) -> Response:
        """Enrol a device. Return 201 if it was not enrolled before, 200 if it is enrolled again (contract A-104)."""
        wanted, actor = request.body, request.actor
        assert isinstance(wanted, DeviceEnrolment)
        assert actor.organization_id is not None, "the row needs an organisation"
        outcome = await self._enrolment.enrol(
            actor,
            organization_id=actor.organization_id,
            serial_number=wanted.serial_number,
            device_class=wanted.device_class,
            manufacturer=wanted.manufacturer,
            system_id=wanted.system_id,
            vehicle_id=wanted.vehicle_id,
        )
        return Json(shown(outcome.device), status=200 if outcome.again else 201)


def shown(device: Device) -> dict[str, Any]:
    """Return the JSON fields of a device that partners see."""
    return {
        "id": device.id,
        "serial_number": device.serial_number,
        "device_class": device.device_class,
        "status": device.status,
        "manufacturer": device.manufacturer,
        "system_id": device.system_id,
        "vehicle_id": device.vehicle_id,
        "last_seen_at": write_moment(device.last_seen_us),
        "battery_percent": device.battery_percent,
        "power": _power(device),
        "model": device.model or None,
        "described_at": write_moment(device.described_at_us),
        "description": None if (described := device.described) is None else shown_description(described),
    }


def _power(device: Device) -> dict[str, Any] | None:
    """Return the last reported power supply; None before the first report."""
    if device.battery_at_us is None:
        return None
    return {
        "battery_percent": device.battery_percent,
        "battery_remaining_minutes": device.battery_remaining_min,
        "status": shown_power(device.power_status),
        "reported_at": write_moment(device.battery_at_us),
    }
