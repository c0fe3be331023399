"""The SDKs for Python and TypeScript pass the same table of stories."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from argus_sdk import webhooks
from cloud.partners.webhooks import new_secret, secret_key
from cloud.partners.webhooks.signing import Signer
from tests.builders.provenance_vectors import FOLDER
from tests.harness.scripted_api import CLIENT_ID, CLIENT_SECRET, ScriptedServer, scripted_server
from tests.harness.typescript_sdk import running_script, shared_project
from tests.sdk import python_runner

STORIES: dict[str, Any] = json.loads((Path(__file__).parent / "stories.json").read_text())
NOW_S = 1_774_346_400
WHOSE = {"evidence_id": "evd_test", "tenant_id": "tnt_test"}
PERIODS: dict[str, Any] = json.loads((FOLDER / "expected-periods.json").read_text())
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())


Perform = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""Performs a call with an SDK (`call`, `facts`); returns what the table of stories describes."""


@pytest.fixture(scope="module", params=["python", "typescript"])
def perform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perform]:
    """Return the runner of each SDK; that of TypeScript has the package that is installed from its tarball."""
    if request.param == "python":
        yield python_runner.perform
        return
    with running_script(shared_project(tmp_path_factory), "runner.mjs") as send:
        yield lambda call, facts: send({"call": call, "facts": facts})


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def of_name(story: dict[str, Any]) -> str:
    return str(story["name"])


@pytest.mark.contract("C-062", "C-108", "C-158", "C-160", "A-001", "A-082")
@pytest.mark.parametrize("story", STORIES["http"], ids=of_name)
def test_http_story_is_as_expected(
    story: dict[str, Any], perform: Perform, server: ScriptedServer, tmp_path: Path
) -> None:
    granted = {name: story[name] for name in ("token_lifetime_s", "token_text") if name in story}
    played = server.play(story["responses"], **granted)
    for name in story.get("files_before", ()):
        (tmp_path / name).write_text("{}")
    address = server.url + story.get("base_path", "")
    facts = {
        "auth_url": address,
        "api_url": address,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "folder": str(tmp_path),
    }
    check(story, perform(story["call"], facts))
    expected = story["expect"]
    if "requests" in expected:
        named = [
            {name: found[name] for name in wanted if name in found}
            for found, wanted in zip(played.requests, expected["requests"], strict=False)
        ]
        assert named == expected["requests"]
        assert len(played.requests) == len(expected["requests"])
    assert played.token_requests == expected.get("token_requests", played.token_requests)
    if "files" in expected:
        assert sorted(path.name for path in tmp_path.iterdir()) == expected["files"]


@pytest.mark.contract("C-080", "C-085", "A-055", "A-058")
@pytest.mark.parametrize("story", STORIES["webhooks"], ids=of_name)
def test_webhook_story_is_as_expected(story: dict[str, Any], perform: Perform) -> None:
    check(story, perform(story["call"], {}))


@pytest.mark.contract("C-085", "A-058")
@pytest.mark.parametrize("kept", [0, 1])
def test_message_that_the_cloud_signs_during_a_rotation_is_accepted_with_either_secret(kept: int) -> None:
    secrets, body = (
        [new_secret(), new_secret()],
        b'{"type":"webhook.test","timestamp":"2026-03-24T10:00:00Z","data":{}}',
    )
    signer = Signer("key-1", Ed25519PrivateKey.generate())
    headers = signer.headers("msg_1", NOW_S, body, [secret_key(one) for one in secrets])
    assert webhooks.verify(body, headers, [secrets[kept]], now_s=NOW_S)["type"] == "webhook.test"


@pytest.mark.contract("C-233", "C-234", "C-235")
@pytest.mark.parametrize("name", EXPECTED)
def test_published_transcript_is_verified_as_expected(name: str, perform: Perform) -> None:
    paths = {"transcript": str(FOLDER / "transcripts" / name), "keys": str(FOLDER / "keys.json"), **WHOSE}
    found = perform({"do": "verify_provenance", **paths}, {})["result"]
    if "hmac" in name:
        assert found["outcome"] == "unverifiable"
        return
    assert found["outcome"] == ("intact" if EXPECTED[name]["valid"] else "broken")
    assert found["broken_links"] == EXPECTED[name]["broken_links"]


@pytest.mark.contract("C-235", "A-127")
@pytest.mark.parametrize("keys", PERIODS)
def test_key_that_was_withdrawn_or_did_not_sign_then_is_reported_as_expected(keys: str, perform: Perform) -> None:
    expected = PERIODS[keys]
    paths = {"transcript": str(FOLDER / "transcripts" / expected["transcript"]), "keys": str(FOLDER / keys)}
    found = perform({"do": "verify_provenance", **paths, **WHOSE}, {})["result"]
    assert found == {name: expected[name] for name in ("outcome", "broken_links")}


TRANSCRIPT = (FOLDER / "transcripts" / "intact-ml-dsa-65.json").read_text()
KEYS = (FOLDER / "keys.json").read_text()
KEY = json.loads(KEYS)["keys"][0]
RECORD = json.loads(TRANSCRIPT)["records"][1]["id"]
COUNT = f'"record_count": {json.loads(TRANSCRIPT)["record_count"]}'


def verified(
    perform: Perform, folder: Path, transcript: str | bytes = TRANSCRIPT, keys: str | bytes = KEYS, **expected: Any
) -> dict[str, Any]:
    """Verify documents with an SDK; return what its runner returns."""
    paths = {"transcript": folder / "transcript.json", "keys": folder / "keys.json"}
    for path, text in zip(paths.values(), (transcript, keys), strict=True):
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    call = {"do": "verify_provenance", **{name: str(path) for name, path in paths.items()}}
    return perform({**call, **WHOSE, **expected}, {})


def keys_with(**members: Any) -> str:
    return json.dumps({"keys": [KEY | members]})


@pytest.mark.contract("S-164")
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"transcript": "{"}, "transcript_malformed"),
        ({"transcript": TRANSCRIPT.encode("utf-16")}, "transcript_malformed"),
        ({"transcript": TRANSCRIPT.replace(COUNT, '"record_count": 4.5')}, "transcript_malformed"),
        ({"transcript": TRANSCRIPT.replace(COUNT, '"record_count": 1e300')}, "transcript_malformed"),
        ({"transcript": TRANSCRIPT.replace(COUNT, '"record_count": true')}, "transcript_malformed"),
        ({"keys": KEYS.encode("utf-16")}, "keys_malformed"),
        ({"keys": json.dumps({"keys": [KEY, KEY]})}, "keys_malformed"),
        ({"keys": keys_with(kid=None)}, "keys_malformed"),
        ({"evidence_id": "\ud800"}, "identity_malformed"),
        ({"tenant_id": "\ud800"}, "identity_malformed"),
        ({"content_hashes": {"01JOTHER": f"sha256:{'0' * 64}"}}, "record_unknown"),
        ({"content_hashes": {RECORD: "0" * 64}}, "content_hash_malformed"),
        ({"content_hashes": {RECORD: f"sha256:{'A' * 64}"}}, "content_hash_malformed"),
    ],
)
def test_check_that_cannot_be_made_is_an_error_with_a_code(
    given: dict[str, Any], code: str, perform: Perform, tmp_path: Path
) -> None:
    found = verified(perform, tmp_path, **given)
    assert found.get("error", found)["code"] == code


@pytest.mark.contract("A-129")
def test_content_is_compared_with_the_record(perform: Perform, tmp_path: Path) -> None:
    found = verified(perform, tmp_path, content_hashes={RECORD: f"sha256:{'0' * 64}"})["result"]
    assert found["broken_links"] == [{"record_id": RECORD, "index": 1, "reason": "content_hash_mismatch"}]


@pytest.mark.parametrize(
    "transcript", [TRANSCRIPT.replace(COUNT, f"{COUNT}.0"), b"\xef\xbb\xbf" + TRANSCRIPT.encode()], ids=["4.0", "mark"]
)
def test_other_forms_of_the_same_transcript_are_intact(
    transcript: str | bytes, perform: Perform, tmp_path: Path
) -> None:
    assert verified(perform, tmp_path, transcript)["result"]["outcome"] == "intact"


@pytest.mark.contract("A-127")
@pytest.mark.parametrize(
    ("text", "is_time"),
    [
        ("2026-01-01T00:00:00Z", True),
        ("2026-01-01t00:00:00.123456789z", True),
        ("2026-01-01 01:00:00+01:00", True),
        ("20260101T000000Z", False),
        ("2026-W01-4T00:00:00Z", False),
        ("2026-01-01T00:00Z", False),
        ("2026-01-01T00:00:00,5Z", False),
        ("2026-01-01T00:00:00", False),
        ("2026-01-01T24:00:00Z", False),
        ("2026-01-01T00:00:60Z", False),
        ("2026-02-29T00:00:00Z", False),
        ("2026-01-01T00:00:00+00:00:30", False),
        ("2026-01-01T00:00:00+00:75", False),
        ("٢٠٢٦-01-01T00:00:00Z", False),
    ],
)
def test_time_of_a_key_is_read_as_rfc_3339_defines(text: str, is_time: bool, perform: Perform, tmp_path: Path) -> None:
    found = verified(perform, tmp_path, keys=keys_with(not_before=text))
    assert found.get("error", {}).get("code") == (None if is_time else "keys_malformed")


KINDS = {
    "connection_failed": "ConnectionFailed",
    **dict.fromkeys(("insecure_address", "malformed_address", "foreign_link", "unusable_id"), "AddressRefused"),
    **dict.fromkeys(
        ("response_malformed", "response_too_large", "token_response_malformed", "result_pending"), "ResponseUnusable"
    ),
    "job_wait_exceeded": "JobWaitExceeded",
    "transcript_malformed": "EvidenceUnusable",
}
"""Code of an error that is not the service's → the class of the error in both SDKs."""
KINDS_OF_CALLS = {"verify_webhook": "WebhookRefused", "wait_for_job": "JobFailed", "graphql": "GraphqlFailed"}


def kind_of(call: str, error: dict[str, Any]) -> str:
    """Return the class of an error that a call ended with."""
    return "ApiError" if error.get("status") else KINDS.get(error["code"]) or KINDS_OF_CALLS[call]


def check(story: dict[str, Any], found: dict[str, Any]) -> None:
    """Compare what a runner returned with what a story expects."""
    expected = story["expect"]
    if "result" in expected:
        assert "result" in found, found
        if story["call"]["do"] == "wait_for_job":
            assert found["result"] | expected["result"] == found["result"]
        else:
            assert found["result"] == expected["result"]
    else:
        assert "error" in found, found
        assert found["error"] | expected["error"] == found["error"]
        assert found["kind"] == kind_of(story["call"]["do"], found["error"])
        assert not any(word in text for text in found["texts"] for word in (CLIENT_SECRET, "token-", "Bearer", "Basic"))
    if "slept_s" in expected:
        assert found["slept_s"] == expected["slept_s"]
