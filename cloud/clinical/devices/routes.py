"""The addresses of devices. Their observations are next door, in `cloud/clinical/observations/routes.py`."""

from cloud.clinical.devices.handlers import DeviceHandlers
from cloud.clinical.devices.schemas import DeviceEnrolment, DeviceQuery, EnrolledDevice
from cloud.foundation.http import Host, RateClass, Route, Scopes
from cloud.foundation.http.parts import Parts

DEVICES_READ = Scopes.any_of("argus:devices:read", "argus:devices:write")
DEVICES_WRITE = Scopes.any_of("argus:devices:write")
_SAMPLE = {"id": "dev_1", "serial_number": "SN-0001", "device_class": "defib", "status": "active"}


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
            answer=list[EnrolledDevice],
            answers={200: "A page of devices, in the order of their ids; the Link header leads to the next page."},
            operation_id="listDevices",
            summary="List medical devices",
            description="The IEEE 11073 PHD devices that the caller's organisation has enrolled, "
            "all of them or those of one vehicle.",
            tag="Devices",
            answer_example=[_SAMPLE],
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
            answer=EnrolledDevice,
            answers={
                201: "The device is enrolled.",
                200: "The device had been enrolled before and is active again; it keeps its id.",
                400: "The body cannot be used, or names no device class of the contract.",
                409: "Another enrolled device of this organisation has this system id.",
                422: "The vehicle is none of this organisation, or a text is malformed.",
            },
            operation_id="enrolDevice",
            summary="Enrol a medical device",
            description="Enrol a device, or enrol it again, so that its observations count. The serial number is "
            "the device's name within the organisation. What a vehicle measured with a device of this system id "
            "before anybody enrolled it is attached.",
            tag="Devices",
            request_example={"serial_number": "SN-0001", "device_class": "defib", "manufacturer": "ACME"},
            answer_example=_SAMPLE,
        ),
    )
