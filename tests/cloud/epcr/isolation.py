"""Functions that create an object for a path parameter of the encounter routes, for `tests/contract/test_isolation`."""

from tests.harness.running_cloud import RunningCloud


def begin(cloud: RunningCloud, app: str) -> str:
    with cloud.client(app) as client:
        answer = client.post("/api/v1/epcr/encounters", json={"care_model": "prehospital_emergency"})
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


MAKERS = {"encounterId": begin}
