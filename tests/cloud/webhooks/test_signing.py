"""Receivers verify deliveries with existing webhook libraries before, during and after a rotation of the secret."""

import base64
import contextlib
import time

import pytest
import standardwebhooks
from cryptography.exceptions import InvalidSignature

from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.master_key import MasterKey, SealBroken
from cloud.partners.webhooks import SecretMalformed, WebhookKeys, WebhookKeyTooFresh, new_secret, secret_key
from cloud.partners.webhooks.keys import PUBLISHED_LEAST_US, RETIRED_US
from cloud.partners.webhooks.sealing import open_key, seal_key
from tests.builders.auth_world import MASTER
from tests.builders.cloud_people import HandClock
from tests.builders.webhook_story import DAY_US, SECOND_US, Webhook, WebhookStory
from tests.cloud.webhooks.conftest import Begin
from tests.harness.node import run_script
from tests.harness.receiver import Received, Receiver, receiving

PLAIN = "my plain text signing secret!"


async def sent(story: WebhookStory, receiver: Receiver) -> Received:
    """Publish one more event; return the request that the receiver gets."""
    await story.happen(f"inc_{len(receiver.received)}")
    await story.turn()
    return receiver.received[-1]


async def now(begin: Begin, receiver: Receiver) -> WebhookStory:
    """Create a webhook story (event relay and delivery workers) whose clock shows the machine's present time, because
    the libraries check time stamps by the machine's clock."""
    story = await begin(receiver)
    story.clock.advance(us=time.time_ns() // 1000 - story.clock.now_us())
    return story


def library_secret(secret: str) -> str:
    """Return a secret in the form that the libraries require; they decode every secret as base64."""
    return secret if secret.startswith("whsec_") else "whsec_" + base64.b64encode(secret.encode()).decode()


def accept(secret: str, request: Received) -> bool:
    """Return whether both libraries accept the request; fail if only one does."""
    import svix  # here, since every worker imports this file and this library takes a quarter of a second

    verdicts = set()
    for verifier in (standardwebhooks.Webhook(library_secret(secret)), svix.Webhook(library_secret(secret))):
        try:
            verifier.verify(request.body, request.headers)
            verdicts.add(True)
        except (standardwebhooks.WebhookVerificationError, svix.WebhookVerificationError):
            verdicts.add(False)
    (verdict,) = verdicts
    return verdict


def changed(request: Received, *, body: bytes | None = None, **headers: str) -> Received:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Received(request.path, request.headers | names, request.body if body is None else body)


@pytest.mark.contract("S-096", "A-055", "A-065")
@pytest.mark.parametrize("secret", [None, PLAIN, "whsec_" + base64.b64encode(bytes(24)).decode()])
async def test_standard_webhooks_libraries_accept_a_sent_request_and_refuse_an_altered_request(
    begin: Begin, secret: str | None
):
    async with receiving() as receiver:
        story = await now(begin, receiver)
        webhook = await story.subscribe(receiver.url(), secret=secret)
        request = await sent(story, receiver)
    assert accept(webhook.secret, request)
    assert not accept(webhook.secret, changed(request, body=request.body + b" "))
    assert not accept(webhook.secret, changed(request, body=request.body[:-1]))
    assert not accept(webhook.secret, changed(request, webhook_id="evt_other"))
    early_s = int(request.headers["webhook-timestamp"]) - 360
    assert not accept(webhook.secret, changed(request, webhook_timestamp=str(early_s)))
    assert not accept(new_secret(), request)


@pytest.mark.contract("S-096")
async def test_javascript_webhooks_library_accepts_a_sent_request_and_refuses_an_altered_request(begin: Begin):
    async with receiving() as receiver:
        story = await now(begin, receiver)
        webhook = await story.subscribe(receiver.url())
        request = await sent(story, receiver)
    early_s = int(request.headers["webhook-timestamp"]) - 360
    cases = {
        "as sent": (webhook.secret, request),
        "an octet more": (webhook.secret, changed(request, body=request.body + b" ")),
        "an octet less": (webhook.secret, changed(request, body=request.body[:-1])),
        "another id": (webhook.secret, changed(request, webhook_id="evt_other")),
        "too early": (webhook.secret, changed(request, webhook_timestamp=str(early_s))),
        "another secret": (new_secret(), request),
    }
    verdicts = run_script(
        "webhooks.mjs",
        {
            name: {"secret": secret, "headers": dict(one.headers), "body": one.body.decode()}
            for name, (secret, one) in cases.items()
        },
    )
    assert verdicts == {name: name == "as sent" for name in cases}


@pytest.mark.contract("S-097", "A-058", "C-085", "C-093")
async def test_previous_webhook_secret_verifies_requests_only_during_the_grace_period_of_a_rotation(begin: Begin):
    async with receiving() as receiver:
        story = await now(begin, receiver)
        old = await story.subscribe(receiver.url())
        story.clock.advance(us=-DAY_US)  # a day ago
        new: Webhook = await story.rotate(old)
        story.clock.advance(us=DAY_US - 60 * SECOND_US)
        during = await sent(story, receiver)
        story.clock.advance(us=60 * SECOND_US)
        after = await sent(story, receiver)
    assert (accept(old.secret, during), accept(new.secret, during)) == (True, True)
    assert (accept(old.secret, after), accept(new.secret, after)) == (False, True)


@pytest.mark.contract("A-065", "S-096")
async def test_receiver_without_a_secret_can_verify_a_delivery_with_the_published_key(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url())
        request = await sent(story, receiver)
        keys = WebhookKeys(story.database, story.clock, lambda: MASTER)
        published = await keys.published()
    content = ".".join((request.headers["webhook-id"], request.headers["webhook-timestamp"])).encode()
    signatures = [one for one in request.headers["webhook-signature"].split() if one.startswith("v1a,")]
    (signature,) = [base64.b64decode(one.removeprefix("v1a,")) for one in signatures]
    (current,) = [key for key in published if key.kid == request.headers["webhook-key-id"]]
    assert current.is_current
    assert [key.jwk()["status"] for key in published] == ["next", "current"]
    current.public().verify(signature, content + b"." + request.body)
    with pytest.raises(InvalidSignature):
        current.public().verify(signature, content + b"." + request.body + b" ")
    jwk = current.jwk()
    assert (jwk["kty"], jwk["crv"], set(jwk) & {"d"}) == ("OKP", "Ed25519", set())
    assert base64.b64decode(jwk["standard_webhooks_key"].removeprefix("whpk_")) == current.public_key


@pytest.mark.contract("A-065")
async def test_webhook_key_is_published_before_it_signs_and_for_a_day_after_its_retirement(database: Database):
    clock = HandClock()
    keys = WebhookKeys(database, clock, lambda: MASTER)
    first = await keys.current()
    (next_one,) = [key for key in await keys.published() if not key.is_current]
    with pytest.raises(WebhookKeyTooFresh):
        await keys.rotate()
    clock.advance(us=PUBLISHED_LEAST_US)
    assert (await keys.rotate()).kid == next_one.kid
    assert (await keys.current()).kid == next_one.kid
    assert first.kid in [key.kid for key in await keys.published()]
    clock.advance(us=RETIRED_US)
    assert first.kid not in [key.kid for key in await keys.published()]
    assert len(await keys.published()) == 2


@pytest.mark.contract("S-098", "A-055")
@pytest.mark.parametrize(
    "secret",
    [
        "",
        "short",
        "a" * 23,
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + "!" * 40,
        "whsec_" + base64.b64encode(bytes(24)).decode().replace("A", "-", 1),
        "whsec_" + base64.b64encode(bytes(25)).decode().rstrip("="),
        "whsec_ " + base64.b64encode(bytes(24)).decode(),
        "a" * 513,
        "\ud800" * 30,
    ],
)
def test_malformed_or_ambiguous_webhook_secret_is_refused(secret: str):
    with pytest.raises(SecretMalformed):
        secret_key(secret)


@pytest.mark.contract("S-098", "A-055")
def test_secret_without_the_whsec_prefix_signs_with_its_utf_8_bytes_as_the_key():
    assert secret_key(PLAIN) == PLAIN.encode()
    assert secret_key("ż" * 12) == ("ż" * 12).encode()
    assert len(secret_key(new_secret())) == 32


@pytest.mark.contract("C-080")
def test_encrypted_webhook_secret_is_decrypted_only_with_its_webhook_id_and_master_key():
    sealed = seal_key(MASTER, "wh_1", b"k" * 32)
    assert b"k" * 8 not in sealed
    assert open_key(MASTER, "wh_1", sealed) == b"k" * 32
    with pytest.raises(SealBroken):
        open_key(MASTER, "wh_2", sealed)
    with pytest.raises(SealBroken):
        open_key(MasterKey(bytes(32)), "wh_1", sealed)


@pytest.mark.finding("security-13")
async def test_number_of_published_webhook_keys_is_bounded_under_repeated_rotation(database: Database) -> None:
    clock = HandClock()
    keys = WebhookKeys(database, clock, lambda: MASTER)
    rotated = 0
    for _ in range(20):
        clock.advance(us=PUBLISHED_LEAST_US)
        with contextlib.suppress(DomainError):
            await keys.rotate()
            rotated += 1
    assert (rotated, len(await keys.published())) == (6, 8)
    clock.advance(us=RETIRED_US)
    await keys.rotate()
