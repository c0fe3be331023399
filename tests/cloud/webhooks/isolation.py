"""Functions that create an object for a path parameter of the webhook routes, for `tests/contract/test_isolation`."""

from tests.harness.running_cloud import RunningCloud


def subscribe(cloud: RunningCloud, app: str) -> str:
    with cloud.client(app, "auth") as client:
        answer = client.post(
            "/v1/webhooks", json={"url": "https://walked.example/hook", "events": ["incident.updated"]}
        )
    assert answer.is_success, answer.text
    cloud.secrets.add(answer.json()["secret"])
    return str(answer.json()["id"])


def replay(cloud: RunningCloud, app: str, objects: dict[str, str]) -> str:
    with cloud.client(app, "auth") as client:
        answer = client.post(
            f"/v1/webhooks/{objects['webhook_id']}/replays", json={"failed_since": "2026-03-23T12:00:00Z"}
        )
    assert answer.is_success, answer.text
    return str(answer.json()["replay_id"])


MAKERS = {"webhook_id": subscribe}

PART_MAKERS = {"replay_id": replay}
"""Makers of objects that are part of another one; they get the objects made so far."""
