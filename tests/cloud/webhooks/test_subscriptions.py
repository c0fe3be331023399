"""An integration subscribes to its approved events, changes the subscription, rotates its secret and unsubscribes."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from cloud.access.audit import Audit
from cloud.foundation.db import Database, metadata
from cloud.partners.webhooks import secret_key
from cloud.partners.webhooks.governing import HostGovernance, OrphanedWebhooks
from cloud.partners.webhooks.service import WEBHOOKS_MAX
from cloud.partners.webhooks.tables import webhook_subscriptions
from tests.builders.api_surface import alike
from tests.builders.contract_samples import sample, shape_faults
from tests.builders.webhook_surface import TARGET, WebhookSurface, webhook_surface

ONE = "/v1/webhooks/{webhook_id}"
EITHER = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Tests that do not depend on the database run on SQLite only."""
SECRET = "a signing secret of the receiver"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[WebhookSurface]:
    async with webhook_surface(database) as served:
        yield served


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.contract("C-074", "C-075", "C-076", "C-081", "A-055", "A-056")
async def test_webhook_secret_is_returned_only_when_the_webhook_is_created(here: WebhookSurface):
    answer = await here.ask("POST", body={"url": TARGET, "events": ["incident.updated"], "description": "Case sync"})
    made = answer.json()
    assert answer.status_code == 201
    assert made["id"].startswith("wh_")
    assert made["secret"].startswith("whsec_")
    assert answer.headers["Location"] == f"https://auth.example.org/v1/webhooks/{made['id']}"
    assert answer.headers["Cache-Control"] == "no-store"
    told = {"url": TARGET, "events": ["incident.updated"], "description": "Case sync", "status": "active"}
    assert told.items() <= made.items()
    read = await here.ask("GET", f"/{made['id']}", who="reader")
    assert read.json() == {name: value for name, value in made.items() if name != "secret"}
    assert await here.audited() == [("webhook.create", made["id"])]


@pytest.mark.contract("C-075", "C-076", "C-080", "A-055", "S-098")
async def test_webhook_secret_supplied_by_the_client_is_never_returned(here: WebhookSurface):
    for secret in ("my plain text signing secret!", SECRET, "whsec_" + "QUFB" * 8, "ł" * 12):
        made = await here.create(secret=secret)
        assert "secret" not in made
        assert secret not in (await here.ask("GET", f"/{made['id']}")).text


@pytest.mark.contract("S-027", "S-098")
async def test_database_contains_no_unencrypted_webhook_secret(here: WebhookSurface):
    """Given or generated, before or after a rotation: no row holds a secret, in any encoding that a thief would try."""
    made = await here.create()
    await here.create(secret=SECRET)
    newest = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    assert (await here.ask("PUT", f"/{made['id']}", {"secret": newest})).status_code == 200
    keys = [secret_key(secret) for secret in (SECRET, made["secret"], newest)]
    everything = await every_octet_of(here.story.database)
    assert b"webhook.create" in everything
    for key in keys:
        for form in (key, key.hex().encode(), base64.b64encode(key), base64.urlsafe_b64encode(key).rstrip(b"=")):
            assert form not in everything


async def every_octet_of(database: Database) -> bytes:
    """Return the values of all tables as bytes, so that a test can search them for a secret."""
    found = []
    async with database.read() as tx:
        for table in metadata.sorted_tables:
            for row in await tx.execute(select(table)):
                found += [one if isinstance(one, bytes) else str(one).encode() for one in row]
    return b"\n".join(found)


@pytest.mark.contract("A-055", "S-098")
@EITHER
async def test_webhook_secret_that_is_too_short_or_not_base64_is_refused_without_repeating_it(here: WebhookSurface):
    for secret in ("", "too short for anybody!!", "whsec_QUFB", "whsec_" + "QU=B" * 9, "a" * 513):
        answer = await here.ask("POST", body={"url": TARGET, "events": ["incident.updated"], "secret": secret})
        assert answer.status_code == 400, secret
        assert not secret or secret not in answer.text


@pytest.mark.contract("C-074", "C-083", "C-084", "C-088", "C-092")
@EITHER
async def test_responses_to_the_contract_sample_requests_have_the_fields_of_the_contract(here: WebhookSurface):
    create, update = sample("POST", "/v1/webhooks"), sample("PUT", ONE)
    assert create.request is not None
    assert create.request.body is not None
    headers = {"Content-Type": "application/json"}
    octets = create.request.body.replace("<signing-secret>", SECRET).encode()
    made = await here.ask("POST", content=octets, headers=headers)
    assert (made.status_code, shape_faults(create.answer, made.json())) == (201, [])
    assert update.request is not None
    assert update.request.body is not None
    changed = await here.ask("PUT", f"/{made.json()['id']}", content=update.request.body.encode(), headers=headers)
    assert (changed.status_code, shape_faults(update.answer, changed.json())) == (200, [])
    assert changed.json()["events"] == update.answer["events"]


@pytest.mark.contract("C-078", "C-079", "A-059", "S-099")
@EITHER
async def test_webhook_subscription_to_an_event_not_approved_for_the_app_is_refused(here: WebhookSurface):
    wanted = ["incident.updated", "epcr.encounter.created", "device.offline", "incident.closed"]
    answer = await here.ask("POST", body={"url": TARGET, "events": wanted}, who="plain")
    assert refused(answer) == (403, "event_not_approved")
    assert answer.json()["events"] == ["epcr.encounter.created", "device.offline"]
    assert (await here.create(*wanted))["events"] == [
        "incident.updated",
        "incident.closed",
        "epcr.encounter.created",
        "device.offline",
    ]
    assert (await here.create("incident.updated", "incident.updated", who="plain"))["events"] == ["incident.updated"]


@pytest.mark.contract("C-079", "A-059", "S-099")
@EITHER
async def test_webhook_with_unknown_or_too_many_events_is_refused(here: WebhookSurface):
    for events in (
        [],
        ["*"],
        ["incident.*"],
        ["incident.escalating"],
        ["gateway.identity_contested"],
        ["incident.updated"] * 101,
        [f"incident.number_{number}" for number in range(101)],
        "incident.updated",
        None,
    ):
        answer = await here.ask("POST", body={"url": TARGET, "events": events})
        assert answer.status_code == 400, events
        assert answer.json()["code"] in {"invalid_events", "invalid_body"}


NOT_TO_BE_CALLED = (
    "http://integrator.example/hook",
    "ftp://integrator.example/hook",
    "file:///etc/passwd",
    "https://user:pw@integrator.example/",
    "https://integrator.example/#fragment",
    "https://integrator.example:22/",
    "https://integrator.example:25/",
    "https://integrator.example:6379/",
    "nonsense",
    "",
)
INSIDE = (
    *("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1"),  # noqa: S104  refused
    *("100.64.0.1", "[fd00::1]", "[fe80::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
    *("[::127.0.0.1]", "224.0.0.1", "2130706433", "0x7f.1", "017700000001", "127.1", "①②⑦.0.0.1"),
    *("metadata.google.internal", "localhost.", "inside.example"),
)


@pytest.mark.contract("A-063", "S-090")
@EITHER
async def test_forbidden_webhook_url_is_refused_when_a_webhook_is_created_or_changed(here: WebhookSurface):
    made = await here.create()
    for url in NOT_TO_BE_CALLED:
        answer = await here.ask("POST", body={"url": url, "events": ["incident.updated"]})
        assert answer.status_code in (400, 422), url
        assert (await here.ask("PUT", f"/{made['id']}", {"url": url})).status_code == answer.status_code
    assert (await here.ask("GET", f"/{made['id']}")).json() == {
        name: value for name, value in made.items() if name != "secret"
    }


@pytest.mark.contract("A-063", "S-091")
@EITHER
async def test_webhook_url_with_an_internal_host_in_any_notation_is_refused(here: WebhookSurface):
    for host in INSIDE:
        answer = await here.ask("POST", body={"url": f"https://{host}/hook", "events": ["incident.updated"]})
        assert refused(answer) == (422, "blocked_url"), host


@pytest.mark.contract("C-082", "C-083", "C-085", "A-057")
async def test_webhook_change_replaces_only_the_given_fields_and_returns_the_whole_webhook(here: WebhookSurface):
    made = await here.create(secret=SECRET, description="Case sync")
    here.story.clock.advance(us=5_000_000)
    answer = await here.ask("PUT", f"/{made['id']}", {"events": ["incident.updated", "incident.closed"]})
    expected = made | {"events": ["incident.updated", "incident.closed"], "updated_at": "2026-03-24T12:00:05.000000Z"}
    assert (answer.status_code, answer.json()) == (200, expected)
    again = await here.ask("PUT", f"/{made['id']}", {"events": ["incident.closed", "incident.updated"]})
    assert again.json() == expected, "the same again changes nothing"
    moved = await here.ask("PUT", f"/{made['id']}", {"url": TARGET + "/2", "description": None})
    assert (moved.json()["url"], moved.json()["description"]) == (TARGET + "/2", None)
    assert (await here.ask("PUT", f"/{made['id']}", {})).json() == moved.json()
    assert [action for action, _ in await here.audited()] == ["webhook.create", "webhook.change", "webhook.change"]


@pytest.mark.contract("A-057")
@EITHER
async def test_webhook_change_with_an_unknown_field_or_invalid_value_is_refused(here: WebhookSurface):
    made = await here.create()
    nulls = [{name: None} for name in ("url", "events", "secret", "status")]
    for body in ({"id": "wh_2"}, {"status": "gone"}, {"events": []}, *nulls):
        assert refused(await here.ask("PUT", f"/{made['id']}", body)) == (400, "invalid_body"), body


@pytest.mark.contract("A-057")
@EITHER
async def test_webhook_change_with_an_outdated_etag_is_refused(here: WebhookSurface):
    made = await here.create()
    etag = (await here.ask("GET", f"/{made['id']}")).headers["ETag"]
    assert (await here.ask("GET", f"/{made['id']}", headers={"If-None-Match": etag})).status_code == 304
    changed = await here.ask("PUT", f"/{made['id']}", {"description": "one"}, headers={"If-Match": etag})
    assert changed.status_code == 200
    late = await here.ask("PUT", f"/{made['id']}", {"description": "two"}, headers={"If-Match": etag})
    assert refused(late) == (412, "precondition_failed")
    fresh = {"If-Match": changed.headers["ETag"]}
    assert (await here.ask("PUT", f"/{made['id']}", {"description": "two"}, headers=fresh)).status_code == 200


@pytest.mark.contract("A-005")
async def test_webhook_change_with_an_invalid_value_and_an_outdated_etag_is_refused_for_the_value(here: WebhookSurface):
    made = await here.create()
    outdated = {"If-Match": '"outdated"'}
    for body in ({"events": ["incident.updatd"]}, {"description": "a\u200bb"}, {"url": "http://"}, {"secret": "short"}):
        assert (await here.ask("PUT", f"/{made['id']}", body, headers=outdated)).status_code in (400, 422), body


@pytest.mark.contract("C-086", "A-064")
async def test_deleted_webhook_is_not_found_and_its_pending_deliveries_are_discarded(here: WebhookSurface):
    made = await here.create()
    await here.ask("POST", f"/{made['id']}/test")
    answer = await here.ask("DELETE", f"/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    for method, path in (("DELETE", ""), ("GET", ""), ("PUT", ""), ("GET", "/deliveries"), ("POST", "/test")):
        body = {} if method == "PUT" else None
        assert refused(await here.ask(method, f"/{made['id']}{path}", body)) == (404, "webhook_unknown")
    (delivery,) = await here.story.deliveries()
    assert (delivery["status"], delivery["error_code"]) == ("discarded", "endpoint_deleted")
    async with here.story.database.read() as tx:
        (row,) = (await tx.execute(webhook_subscriptions.select())).rows
    assert (row.secret_sealed, row.previous_secret_sealed) == (None, None)


@pytest.mark.contract("C-077", "A-019", "S-063")
async def test_cursor_of_the_webhook_list_is_valid_only_for_its_caller_and_list(here: WebhookSurface):
    made = [(await here.create(url=f"{TARGET}/{number}"))["id"] for number in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await here.ask("GET", params=query, who="reader")).json()
        seen += [one["id"] for one in page["webhooks"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        for who in ("south", "elsewhere", "whole"):
            foreign = await here.ask("GET", params={"cursor": cursor}, who=who)
            assert refused(foreign) == (400, "invalid_cursor")
        other = await here.ask("GET", f"/{made[0]}/deliveries", params={"cursor": cursor})
        assert refused(other) == (400, "invalid_cursor")
    assert seen == made


@pytest.mark.contract("C-013", "A-013", "S-061", "S-106")
async def test_webhook_of_another_organisation_or_tenant_gets_the_same_404_as_an_unknown_webhook(here: WebhookSurface):
    made = await here.create(secret=SECRET)
    replay = (await here.ask("POST", f"/{made['id']}/replays", {"since": "2026-03-24T00:00:00Z"})).json()
    for who in ("elsewhere", "south"):
        assert (await here.ask("GET", who=who)).json()["webhooks"] == []
        for method, path, body in (
            ("GET", "", None),
            ("PUT", "", {"events": ["incident.closed"]}),
            ("DELETE", "", None),
            ("GET", "/deliveries", None),
            ("POST", "/test", None),
            ("POST", "/replays", {"delivery_id": "dlv_1"}),
            ("GET", f"/replays/{replay['replay_id']}", None),
        ):
            foreign = await here.ask(method, f"/{made['id']}{path}", body, who=who)
            absent = await here.ask(method, f"/wh_01HFXYAAAAAAAAAAAAAAAAAAAA{path}", body, who=who)
            assert foreign.status_code == 404
            assert alike(foreign, absent), (who, method, path)
    assert (await here.ask("GET", f"/{made['id']}", who="whole")).status_code == 200
    assert (await here.ask("GET", f"/{made['id']}")).json() == made


@pytest.mark.contract("C-081", "A-019", "A-005")
@EITHER
async def test_webhooks_can_be_read_with_the_read_scope_and_changed_only_with_the_write_scope(here: WebhookSurface):
    made = await here.create()
    for path in ("", f"/{made['id']}", f"/{made['id']}/deliveries"):
        assert (await here.ask("GET", path, who="reader")).status_code == 200
        assert refused(await here.ask("GET", path, who="stranger")) == (403, "insufficient_scope")
    for method, path, body in (
        ("POST", "", {"url": TARGET, "events": ["incident.updated"]}),
        ("PUT", f"/{made['id']}", {}),
        ("DELETE", f"/{made['id']}", None),
        ("POST", f"/{made['id']}/test", None),
    ):
        assert refused(await here.ask(method, path, body, who="reader")) == (403, "insufficient_scope")


@pytest.mark.contract("C-078", "A-059")
@EITHER
async def test_app_cannot_change_the_url_or_secret_or_events_of_a_webhook_with_unapproved_events(here: WebhookSurface):
    made = await here.create("epcr.encounter.created", secret=SECRET)
    for body in (
        {"url": TARGET + "/mine"},
        {"secret": "another secret, known to plain"},
        {"events": ["device.offline"]},
    ):
        answer = await here.ask("PUT", f"/{made['id']}", body, who="plain")
        assert refused(answer) == (403, "event_not_approved")
    assert (await here.ask("PUT", f"/{made['id']}", {"status": "disabled"}, who="plain")).status_code == 200


@pytest.mark.contract("C-037")
@EITHER
async def test_webhook_url_with_a_host_outside_the_governance_list_is_refused(here: WebhookSurface):
    made = await here.create()
    await here.apps.govern(
        here.story.home.operator,
        "app_north",
        {"allowed_webhook_hosts": ["integrator.example"]},
    )
    await here.create()
    other = {"url": "https://other.example/hook", "events": ["incident.updated"]}
    assert refused(await here.ask("POST", body=other)) == (403, "webhook_host_not_allowed")
    answer = await here.ask("PUT", f"/{made['id']}", {"url": other["url"]})
    assert refused(answer) == (403, "webhook_host_not_allowed")


@pytest.mark.contract("C-037")
async def test_webhook_is_disabled_and_its_tenant_is_notified_when_its_host_is_no_longer_allowed(here: WebhookSurface):
    made, kept = await here.create(), await here.create(who="plain")
    await here.apps.govern(
        here.story.home.operator,
        "app_north",
        {"allowed_webhook_hosts": ["other.example"]},
    )
    chore = HostGovernance(here.story.outbox, Audit(here.story.clock))
    done = []
    for _ in range(2):
        async with here.story.database.transaction() as tx:
            done.append(await chore.apply(tx, here.story.clock.now_us()))
    assert done == [1, 0]
    now = (await here.ask("GET", f"/{made['id']}")).json()
    assert (now["status"], now["disabled_reason"]) == ("disabled", "not_allowed")
    assert (await here.audited())[-1] == ("webhook.disable", made["id"])
    await here.story.fan_out()
    (notice,) = await here.story.deliveries()
    assert (notice["webhook_id"], notice["event"]) == (kept["id"], "webhook.disabled")
    answer = await here.ask("PUT", f"/{made['id']}", {"status": "active"})
    assert refused(answer) == (403, "webhook_host_not_allowed")


@pytest.mark.contract("A-064")
async def test_webhooks_of_a_deleted_app_are_removed_and_their_pending_deliveries_are_discarded(here: WebhookSurface):
    made, kept = await here.create(), await here.create(who="plain")
    await here.story.happen("inc_1")
    await here.story.fan_out()
    await here.apps.remove(here.story.home.operator, "app_north")
    chore = OrphanedWebhooks(Audit(here.story.clock))
    done = []
    for _ in range(2):
        async with here.story.database.transaction() as tx:
            done.append(await chore.apply(tx, here.story.clock.now_us()))
    assert done == [1, 0]
    assert (await here.audited())[-1] == ("webhook.remove", made["id"])
    left = {row["webhook_id"]: (row["status"], row["error_code"]) for row in await here.story.deliveries()}
    assert left == {made["id"]: ("discarded", "endpoint_deleted"), kept["id"]: ("queued", None)}
    async with here.story.database.read() as tx:
        (secret,) = [row.secret_sealed for row in await tx.execute(_subscription(made["id"]))]
    assert secret is None


def _subscription(id: str) -> Any:
    return webhook_subscriptions.select().where(webhook_subscriptions.c.id == id)


@pytest.mark.contract("C-074")
async def test_number_of_webhooks_for_each_app_is_limited(here: WebhookSurface):
    made = await here.create()
    async with here.story.database.transaction() as tx:
        (row,) = (await tx.execute(webhook_subscriptions.select())).rows
        copies = [{**row._mapping, "id": f"wh_{number}"} for number in range(WEBHOOKS_MAX - 1)]
        await tx.execute(webhook_subscriptions.insert(), copies)
    answer = await here.ask("POST", body={"url": TARGET, "events": ["incident.updated"]})
    assert refused(answer) == (409, "too_many_webhooks")
    await here.create(who="plain")
    await here.ask("DELETE", f"/{made['id']}")
    await here.create()
