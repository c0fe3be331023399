"""Functions that create an object for a path parameter of the device routes, for `tests/contract/test_isolation`."""

from tests.harness.running_cloud import RunningCloud


def enrol(cloud: RunningCloud, app: str) -> str:
    serial_number = f"SN-WALK-{app}"
    with cloud.client(app) as client:
        answer = client.post(
            "/api/v1/devices/enrol",
            json={"serial_number": serial_number, "device_class": "oximeter", "manufacturer": "Synthetic"},
        )
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


MAKERS = {"deviceId": enrol}
