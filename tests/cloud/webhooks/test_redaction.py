"""The delivery log shows why a receiver refused a delivery, without secrets and without internal content."""

import pytest

from cloud.partners.webhooks.redaction import HEAD_BYTES_MAX, redacted_head
from tests.builders.webhook_story import UPDATED
from tests.cloud.webhooks.conftest import Begin
from tests.harness.receiver import receiving, respond_with


@pytest.mark.contract("S-095", "A-060")
@pytest.mark.parametrize(
    ("answer", "hidden"),
    [
        ("Authorization: Bearer abc.def-123456", "abc.def-123456"),
        ('{"token":"eyJhbGciOi.eyJzdWIiOjF9.c2ln"}', "eyJ"),
        ('{"password": "hunter2hunter2"}', "hunter2"),
        ("password=hunter2&user=ada", "hunter2"),
        ("api_key: 0123456789", "0123456789"),
        ("Set-Cookie: session_id=abcdef", "abcdef"),
        ("key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw seen", "MfKQ9r8G"),
        ("v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= differs", "K5oZfzN95"),
        ("postgres://admin:s3cr3t@10.0.0.1/db", "s3cr3t"),
        ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n", "MIIB"),
        ("0123456789abcdef0123456789abcdef", "abcdef0123"),
        ("x" * 8 + " " + "secret=" + "\N{SNOWMAN}" * 2000, "\N{SNOWMAN}"),
    ],
)
def test_text_that_looks_like_a_secret_is_redacted_in_a_logged_response(answer: str, hidden: str):
    head = redacted_head(answer.encode())
    assert head is not None
    assert "[redacted]" in head
    assert hidden not in head


def test_text_without_secrets_is_logged_unredacted_up_to_the_maximum_length():
    assert redacted_head(b"unknown incident inc_7\n") == "unknown incident inc_7\n"
    assert redacted_head(b"") is None
    assert len((redacted_head(("word ą " * 10_000).encode()) or "").encode()) <= HEAD_BYTES_MAX
    assert redacted_head(b"\x1b[31m\x00\xff") == "·[31m··"


def test_secret_at_the_truncation_point_of_a_text_is_redacted():
    filler = "word " * (HEAD_BYTES_MAX // 5 - 2)
    head = redacted_head(f"{filler} token=abcdefghijklmnopqrst".encode()) or ""
    assert "abc" not in head


@pytest.mark.contract("S-095", "A-060")
async def test_delivery_log_contains_the_redacted_response_and_no_secret_or_signature(begin: Begin):
    answer = b"no such hook; Authorization: Bearer internal-token-1234 " + b"word " * 1000
    async with receiving(always=respond_with(404, answer)) as receiver:
        story = await begin(receiver)
        webhook = await story.subscribe(receiver.url(), UPDATED)
        await story.happen()
        await story.turn()
        (attempt,) = await story.attempts()
    assert attempt["response_head"].startswith("no such hook; Authorization: [redacted]")
    assert "internal-token" not in attempt["response_head"]
    assert len(attempt["response_head"]) <= HEAD_BYTES_MAX
    kept = repr(await story.deliveries()) + repr(attempt)
    assert webhook.secret not in kept
    assert receiver.received[0].headers["webhook-signature"] not in kept
