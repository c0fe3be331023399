"""The owner of a webhook sees each delivery and why it failed, sends a test, replays deliveries, and rotates the
secret.
"""

import time
from typing import Any

import pytest

from cloud.foundation.db import Database
from cloud.partners.webhooks import DeliveryStatus
from cloud.partners.webhooks import log as delivery_log
from cloud.partners.webhooks.log import PENDING_TESTS_MAX, ReplayQueue
from tests.builders.webhook_surface import WebhookSurface, webhook_surface
from tests.cloud.webhooks.test_signing import accept
from tests.harness.receiver import Receiver, receiving

OLD, NEW = "the old secret of the receiver", "the new secret of the receiver"
BEGIN = "2026-03-24T00:00:00Z"
HOUR_US = 3_600_000_000
EITHER = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Tests that do not depend on the database run on SQLite only."""


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def failed_thrice(here: WebhookSurface, receiver: Receiver) -> str:
    """Create a webhook that is active again after three failed deliveries; return its id."""
    made = await here.create("incident.created", url=receiver.url())
    receiver.always = 410
    for number in range(3):
        await here.dispatch(f"cad_{number}")
    await here.story.turn()
    receiver.always = 200
    await here.ask("PUT", f"/{made['id']}", {"status": "active"})
    receiver.received.clear()
    return str(made["id"])


@pytest.mark.contract("C-087", "C-088", "C-089", "C-090", "A-060", "S-095")
async def test_delivery_log_shows_each_attempt_with_its_reason_and_the_time_of_the_next_attempt(database: Database):
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        receiver.answers = [500]
        made = await here.create("incident.created", url=receiver.url())
        other = await here.create("incident.created")
        await here.dispatch()
        await here.story.turn()
        (first,) = await here.deliveries(made["id"])
        expected = {
            "status": "failed",
            "kind": "event",
            "event": "incident.created",
            "event_id": receiver.ids()[0],
            "attempt": 1,
            "attempted_at": "2026-03-24T12:00:00.000000Z",
            "response_status": 500,
            "error_code": "http_status",
            "next_attempt_at": "2026-03-24T12:00:05.000000Z",
        }
        assert expected.items() <= first.items()
        assert [attempt["error_code"] for attempt in first["attempts"]] == ["http_status"]
        await here.story.later(us=5_000_000)
        (second,) = await here.deliveries(made["id"])
        told = {
            "status": "succeeded",
            "attempt": 2,
            "response_status": 200,
            "error_code": None,
            "next_attempt_at": None,
        }
        assert told.items() <= second.items()
        assert [attempt["number"] for attempt in second["attempts"]] == [1, 2]
        assert receiver.received[0].headers["traceparent"].split("-")[1] == second["trace_id"]
        (elsewhere,) = await here.deliveries(other["id"])
        assert elsewhere["error_code"] == "dns_failure"


@pytest.mark.contract("C-087", "A-060", "S-063")
async def test_delivery_log_is_filtered_and_paged(database: Database):
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        made = await here.create("incident.created", "epcr.encounter.created", url=receiver.url())
        for number in range(3):
            await here.dispatch(f"cad_{number}")
        await here.story.turn()
        path = f"/{made['id']}/deliveries"
        assert len(await here.deliveries(made["id"])) == 6
        incidents = await here.deliveries(made["id"], event="incident.created")
        assert [one["event"] for one in incidents] == ["incident.created"] * 3
        one = incidents[0]["event_id"]
        assert [found["event_id"] for found in await here.deliveries(made["id"], event_id=one)] == [one]
        assert await here.deliveries(made["id"], status=DeliveryStatus.FAILED) == []
        query = {"limit": "4", "kind": "event"}
        first = (await here.ask("GET", path, params=query)).json()
        second = (await here.ask("GET", path, params=query | {"cursor": first["next_cursor"]})).json()
        ids = [found["id"] for page in (first, second) for found in page["deliveries"]]
        assert (len(first["deliveries"]), len(set(ids)), second["next_cursor"]) == (4, 6, None)
        assert ids == [found["id"] for found in await here.deliveries(made["id"])]
        for changed in ({"kind": "test"}, {"status": "failed"}):
            answer = await here.ask("GET", path, params=query | changed | {"cursor": first["next_cursor"]})
            assert refused(answer) == (400, "invalid_cursor")
        assert refused(await here.ask("GET", path, params={"status": "lost"})) == (400, "invalid_query")


@pytest.mark.contract("C-091", "C-092", "C-093", "C-094", "A-061")
@EITHER
async def test_webhook_test_event_is_sent_even_while_the_webhook_is_disabled(database: Database):
    async with receiving(always=500) as receiver, webhook_surface(database, receiver) as here:
        made = await here.create("incident.created", url=receiver.url(), status="disabled")
        await here.dispatch()
        await here.story.turn()
        assert receiver.received == []
        answer = await here.ask("POST", f"/{made['id']}/test")
        assert answer.status_code == 202
        assert answer.json() == {"delivery_id": answer.json()["delivery_id"], "status": "queued"}
        assert answer.json()["delivery_id"].startswith("dlv_test_")
        await here.story.turn()
        (delivery,) = await here.deliveries(made["id"], kind="test")
        assert (delivery["id"], delivery["kind"]) == (answer.json()["delivery_id"], "test")
        assert (delivery["status"], delivery["response_status"]) == ("exhausted", 500)
        assert b'"type":"webhook.test"' in receiver.received[0].body
        now = (await here.ask("GET", f"/{made['id']}")).json()
        assert (now["failing_since"], now["disabled_reason"]) == (None, "by_owner")
        assert ("webhook.test", made["id"]) in await here.audited()


@pytest.mark.contract("S-103", "A-061")
@EITHER
async def test_number_of_pending_webhook_test_events_and_rate_of_test_requests_are_limited(database: Database):
    async with webhook_surface(database) as here:
        made = await here.create()
        answers = [await here.ask("POST", f"/{made['id']}/test") for _ in range(PENDING_TESTS_MAX + 1)]
        assert refused(answers[-1]) == (429, "too_many_tests")
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert {answer.status_code for answer in answers[:-1]} == {202}
        assert answers[0].headers["RateLimit-Policy"] == '"test";q=60;w=60'
        while (answer := await here.ask("POST", f"/{made['id']}/test")).json()["code"] == "too_many_tests":
            answers.append(answer)
        assert refused(answer) == (429, "rate_limited")
        assert len(answers) <= 60 + 5, "the bucket fills slowly"
        assert len(await here.story.deliveries()) == PENDING_TESTS_MAX


@pytest.mark.contract("C-080", "C-085", "C-093", "A-058", "S-097")
async def test_new_webhook_secret_signs_at_once_and_the_previous_secret_also_signs_for_24_hours(database: Database):
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        here.story.clock.advance(us=time.time_ns() // 1000 - here.story.clock.now_us())  # libraries read this clock
        made = await here.create(url=receiver.url(), secret=OLD)
        rotated = (await here.ask("PUT", f"/{made['id']}", {"secret": NEW})).json()
        again = (await here.ask("PUT", f"/{made['id']}", {"secret": NEW})).json()
        assert rotated == again, "whoever repeats the request rotates once"
        assert rotated["previous_secret_expires_at"] is not None
        assert not [secret for secret in (OLD, NEW) if secret in str(rotated)]
        await here.ask("POST", f"/{made['id']}/test")
        await here.story.turn()
        assert [accept(secret, receiver.received[-1]) for secret in (OLD, NEW)] == [True, True]
        here.story.clock.advance(us=24 * HOUR_US)
        assert (await here.ask("GET", f"/{made['id']}")).json()["previous_secret_expires_at"] is None
        await here.ask("POST", f"/{made['id']}/test")
        await here.story.turn()
        signatures = receiver.received[-1].headers["webhook-signature"].split()
        assert [one.partition(",")[0] for one in signatures] == ["v1", "v1a"]


@pytest.mark.contract("C-085", "C-089")
@EITHER
async def test_deliveries_discarded_while_a_webhook_was_disabled_can_be_replayed(database: Database):
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        made = await here.create("incident.created", url=receiver.url())
        await here.ask("PUT", f"/{made['id']}", {"status": "disabled"})
        await here.dispatch()
        await here.story.turn()
        (missed,) = await here.deliveries(made["id"])
        assert (missed["status"], missed["error_code"]) == ("discarded", "endpoint_disabled")
        assert refused(await here.ask("POST", f"/{made['id']}/replays", {"failed_since": BEGIN})) == (
            409,
            "webhook_disabled",
        )
        await here.ask("PUT", f"/{made['id']}", {"status": "active"})
        replay = await here.ask("POST", f"/{made['id']}/replays", {"failed_since": BEGIN})
        assert (replay.status_code, replay.json()["queued"], replay.json()["status"]) == (202, 1, "done")
        await here.story.turn()
        assert receiver.ids() == [missed["event_id"]]
        await here.ask("POST", f"/{made['id']}/replays", {"failed_since": BEGIN})
        await here.story.turn()
        assert receiver.ids() == [missed["event_id"]], "what got through is not sent again"


@EITHER
async def test_replayed_delivery_has_the_event_id_and_body_of_the_original(database: Database):
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        made = await here.create("incident.created", url=receiver.url())
        await here.dispatch()
        await here.story.turn()
        (original,) = await here.deliveries(made["id"])
        for _ in range(2):
            (latest, *_) = await here.deliveries(made["id"])
            answer = await here.ask("POST", f"/{made['id']}/replays", {"delivery_id": latest["id"]})
            assert (answer.status_code, answer.json()["mode"]) == (202, "one")
            read = await here.client.get(
                answer.headers["Location"].removeprefix("https://auth.example.org"),
                headers={"Authorization": "Bearer reader"},
            )
            assert read.json() == answer.json()
            await here.story.turn()
        assert receiver.ids() == [original["event_id"]] * 3
        assert len({request.body for request in receiver.received}) == 1
        (latest, *_) = await here.deliveries(made["id"])
        assert (latest["kind"], latest["replay_id"]) == ("replay", answer.json()["replay_id"])
        other = await here.create()
        foreign = await here.ask("POST", f"/{other['id']}/replays", {"delivery_id": latest["id"]})
        assert refused(foreign) == (404, "delivery_unknown")
        assert ("webhook.replay", made["id"]) in await here.audited()


async def test_second_replay_is_refused_until_the_first_replay_has_queued_all_its_deliveries(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delivery_log, "REPLAY_BATCH", 2)
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        webhook_id = await failed_thrice(here, receiver)
        failed = [one["event_id"] for one in reversed(await here.deliveries(webhook_id))]
        answer = await here.ask("POST", f"/{webhook_id}/replays", {"failed_since": BEGIN})
        assert (answer.json()["status"], answer.json()["queued"]) == ("running", 2)
        second = await here.ask("POST", f"/{webhook_id}/replays", {"failed_since": BEGIN})
        assert refused(second) == (409, "replay_under_way")
        chore = ReplayQueue(here.story.ids)
        queued = []
        for _ in range(3):
            async with database.transaction() as tx:
                queued.append(await chore.step(tx, here.story.clock.now_us()))
        assert queued == [1, 0, 0]
        await here.story.turn()
        assert sorted(receiver.ids()) == sorted(failed)
        replay = (await here.ask("GET", f"/{webhook_id}/replays/{answer.json()['replay_id']}")).json()
        assert (replay["status"], replay["queued"]) == ("done", 3)


async def test_replay_of_a_time_range_includes_succeeded_deliveries(database: Database):
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        made = await here.create("incident.created", url=receiver.url())
        for number in range(3):
            await here.dispatch(f"cad_{number}")
            await here.story.turn()
            here.story.clock.advance(us=HOUR_US)
        begun = list(receiver.ids())
        wanted = {"since": "2026-03-24T13:00:00Z", "until": "2026-03-24T14:00:00Z"}
        answer = await here.ask("POST", f"/{made['id']}/replays", wanted)
        assert (answer.json()["mode"], answer.json()["queued"]) == ("range", 1)
        await here.story.turn()
        assert receiver.ids() == [*begun, begun[1]]


@EITHER
async def test_replay_request_without_exactly_one_valid_selection_of_deliveries_is_refused(database: Database):
    async with webhook_surface(database) as here:
        made = await here.create()
        for body in (
            {},
            {"delivery_id": "dlv_1", "failed_since": BEGIN},
            {"until": BEGIN},
            {"since": BEGIN, "until": BEGIN},
            {"since": "yesterday"},
            {"failed_since": "2026-03-24T00:00:00"},
        ):
            assert refused(await here.ask("POST", f"/{made['id']}/replays", body)) == (400, "invalid_replay"), body
