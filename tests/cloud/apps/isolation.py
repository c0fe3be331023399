"""Functions that create an object for a path parameter of the app routes, for `tests/contract/test_isolation`."""

from tests.harness.running_cloud import RunningCloud


def register(cloud: RunningCloud, app: str) -> str:
    with cloud.client(app, "auth") as client:
        answer = client.post(
            "/v1/platform/apps",
            json={
                "name": "Walked",
                "grant_types": ["client_credentials"],
                "redirect_uris": [],
                "requested_scopes": ["webhooks:write"],
            },
        )
    assert answer.is_success, answer.text
    return str(answer.json()["client_id"])


MAKERS = {"client_id": register}
