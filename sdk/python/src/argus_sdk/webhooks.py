"""Verify webhooks and job callbacks (Standard Webhooks, signatures of version `v1`).

Why several secrets: for 24 hours after a rotation, messages are signed with the new and the previous secret, and a
receiver that accepts both can change its own at any time. Signatures of other versions, such as `v1a`, are skipped.
"""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from argus_sdk.errors import WebhookRefused

TOLERANCE_S = 300
"""Greatest difference between the time of a message and the receiver's clock, as Standard Webhooks has it. A retry has
a new time."""
SIGNATURES_MAX = 16
"""Signatures of a message that are compared; Argus sends at most three."""
SECRET_BYTES_MIN = 24
"""Size of the shortest secret that Argus accepts. So a text that is given in place of a list of secrets is refused, and
its letters are not used as keys."""
_TIMESTAMP_LENGTH_MAX = 12
_PREFIX = "whsec_"
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: Iterable[str],
    *,
    now_s: float | None = None,
    tolerance_s: float = TOLERANCE_S,
) -> dict[str, Any]:
    """Return the message of a webhook: `type`, `timestamp` and `data`. Raises `WebhookRefused`.

    `body` is the body as it was received, before any parsing. `secrets` are those of the webhook: one, or two during a
    rotation. `now_s` is the time (Unix, seconds), None for the machine's clock. A message may arrive more than once:
    the header `webhook-id` is the same for each delivery of an event, so remember it to handle an event once.
    """
    keys = [_key(secret) for secret in secrets]
    if not keys:
        raise WebhookRefused("secret_malformed", "No secret was given.")
    message_id, timestamp, signatures = _read_headers(headers)
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _TIMESTAMP_LENGTH_MAX):
        raise WebhookRefused("timestamp_malformed", "The header webhook-timestamp is not a number of seconds.")
    if abs((time.time() if now_s is None else now_s) - int(timestamp)) > tolerance_s:
        raise WebhookRefused(
            "timestamp_out_of_range",
            f"The time of the message differs by more than {tolerance_s:g} s from the clock of this machine.",
        )
    content = f"{message_id}.{timestamp}.".encode(errors="replace") + body
    expected = [base64.b64encode(hmac.digest(key, content, "sha256")) for key in keys]
    if not _matches(signatures, expected):
        raise WebhookRefused("signature_invalid", "No signature of the message fits a secret.")
    try:
        event = json.loads(body)
    except ValueError:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise WebhookRefused("body_malformed", "The body is signed and is not a JSON object with a `type`.")
    return event


def _matches(signatures: str, expected: Iterable[bytes]) -> bool:
    """Return whether a `v1` signature is an expected one. Every pair is compared, so the time shows no match."""
    given = [text for version, _, text in (one.partition(",") for one in signatures.split(" ")) if version == "v1"]
    found = False
    for wanted in expected:
        for text in given[:SIGNATURES_MAX]:
            found |= hmac.compare_digest(text.encode(errors="replace"), wanted)
    return found


def _read_headers(headers: Mapping[str, str]) -> list[str]:
    """Return the values of the three headers. Names are compared without case, as HTTP does."""
    known = {name.lower(): text for name, text in headers.items()}
    for name in _HEADERS:
        if not known.get(name):
            raise WebhookRefused("header_missing", f"The message has no header {name}.")
    return [known[name] for name in _HEADERS]


def _key(secret: str) -> bytes:
    """Return the HMAC key of a secret: what follows `whsec_` in strict base64; of any other secret its UTF-8 bytes."""
    try:
        text = secret.removeprefix(_PREFIX)
        key = base64.b64decode(text.encode(), validate=True) if text != secret else secret.encode()
    except (binascii.Error, UnicodeEncodeError):
        key = b""
    if len(key) < SECRET_BYTES_MIN:
        raise WebhookRefused(
            "secret_malformed", f"A secret is whsec_ and base64, or a text; of at least {SECRET_BYTES_MIN} bytes."
        )
    return key
