"""The table of stories is sound: its webhooks agree with the reference library, and its names are unique."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

STORIES: dict[str, Any] = json.loads((Path(__file__).parent / "stories.json").read_text())
SIGNED = [
    story
    for story in STORIES["webhooks"]
    if "result" in story["expect"] or story["expect"]["error"]["code"] == "signature_invalid"
]


def test_story_names_are_unique() -> None:
    names = [story["name"] for story in (*STORIES["http"], *STORIES["webhooks"])]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("story", SIGNED, ids=lambda story: story["name"])
def test_signatures_of_the_webhook_stories_agree_with_the_reference_library(
    story: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library compares with the clock; its own check of the time is not the subject.
    monkeypatch.setattr(Webhook, "_Webhook__verify_timestamp", lambda self, text: _moment(text))
    call = story["call"]
    headers = {name.lower(): text for name, text in call["headers"].items()}
    accepted = False
    for secret in call["secrets"]:
        try:
            key = secret if secret.startswith("whsec_") else secret.encode()
            Webhook(key).verify(call["body"], headers)
        except WebhookVerificationError:
            continue
        accepted = True
    assert accepted is ("result" in story["expect"])


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), tz=UTC)
