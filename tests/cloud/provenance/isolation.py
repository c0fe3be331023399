"""Functions that create an object for a path parameter of the transcripts, for `tests/contract/test_isolation`."""

from tests.harness.running_cloud import RunningCloud


def evidence(cloud: RunningCloud, app: str) -> str:
    """Begin an encounter, which begins its evidence; return the id of the evidence."""
    with cloud.client(app) as client:
        begun = client.post("/api/v1/epcr/encounters", json={"care_model": "prehospital_emergency"})
        assert begun.is_success, begun.text
        return str(client.get(f"/api/v1/epcr/encounters/{begun.json()['id']}").json()["evidence_id"])


MAKERS = {"evidence_id": evidence}
