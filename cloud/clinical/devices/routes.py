"""Routes of devices. Those of observations are in `cloud/clinical/observations/routes.py`."""

from cloud.clinical.devices.handlers import DeviceHandlers
from cloud.clinical.devices.schemas import DeviceEnrolment, DeviceQuery, EnrolledDevice
from cloud.foundation.http import Host, Parts, RateClass, Route, Scopes

DEVICES_READ = Scopes.any_of("argus:devices:read", "argus:devices:write")
DEVICES_WRITE = Scopes.any_of("argus:devices:write")
_SAMPLE = {
    "id": "dev_1",
    "serial_number": "SN-0001",
    "device_class": "defib",
    "status": "active",
    "manufacturer": "ACME",
    "system_id": None,
    "vehicle_id": None,
    "last_seen_at": None,
    "battery_percent": None,
    "power": None,
    "model": None,
    "described_at": None,
    "description": None,
}


def routes(parts: Parts) -> tuple[Route, ...]:
    h = DeviceHandlers(parts)
    return (
        Route(
            method="GET",
            path="/api/v1/devices",
            handler=h.list,
            host=Host.API,
            scopes=DEVICES_READ,
            needs_organization=True,
            query=DeviceQuery,
            response=list[EnrolledDevice],
            responses={200: "A page of devices, ordered by id. The Link header leads to the next page."},
            operation_id="listDevices",
            summary="List medical devices",
            description="The enrolled IEEE 11073 PHD devices of the caller's organisation, optionally of one vehicle.",
            tag="Devices",
            response_example=[_SAMPLE],
        ),
        Route(
            method="POST",
            path="/api/v1/devices/enrol",
            handler=h.enrol,
            host=Host.API,
            scopes=DEVICES_WRITE,
            needs_organization=True,
            rate_class=RateClass.WRITE,
            body=DeviceEnrolment,
            response=EnrolledDevice,
            responses={
                201: "The device is enrolled.",
                200: "The device was already enrolled. It is active and keeps its id.",
                400: "The body is invalid, or the device class is unknown.",
                409: "Another enrolled device of this organisation has this system id.",
                422: "The vehicle is not in this organisation, or a text is malformed.",
            },
            errors=(
                "device_class_unknown",
                "system_id_taken",
                "device_text_malformed",
                "vehicle_unknown",
            ),
            operation_id="enrolDevice",
            summary="Enrol a medical device",
            description="Enrols a device, or enrols it again. The serial number identifies it within the "
            "organisation. Observations that vehicles sent earlier from this system id are attached to the device.",
            tag="Devices",
            request_example={"serial_number": "SN-0001", "device_class": "defib", "manufacturer": "ACME"},
            response_example=_SAMPLE,
        ),
    )
