"""An event is published if and only if its transaction commits.

Events with the same key are delivered in order, by one worker at a time.
"""

import asyncio

import pytest

from cloud.foundation.db import Database, Transaction
from cloud.foundation.events import ClaimedEvent, DomainEvent, LeaseLost, Outbox, Relay
from cloud.foundation.events.relay import ATTEMPTS_MAX, LEASE_US, retry_delay_us
from cloud.foundation.ids import UlidIds
from cloud.foundation.retention import DAY_US
from cloud.foundation.viewer import Viewer
from tests.builders.cloud_people import HandClock
from tests.builders.parts import sweep_once
from tests.harness.eventually import eventually

SECOND_US = 1_000_000


class Story:
    """An outbox and a clock that the test moves."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = HandClock()
        self.outbox = Outbox(UlidIds(self.clock))

    async def emit(self, key: str, text: str) -> None:
        async with self.database.transaction() as tx:
            await self.emit_in(tx, key, text)

    async def emit_in(self, tx: Transaction, key: str, text: str) -> None:
        await self.outbox.emit(
            tx,
            "test.happened",
            Viewer("tnt_1", None),
            key=key,
            payload={"text": text},
            at_us=self.clock.now_us(),
        )

    async def claim(self, count: int = 10) -> list[ClaimedEvent]:
        async with self.database.transaction() as tx:
            claims = await self.outbox.claim(tx, now_us=self.clock.now_us(), lease_us=LEASE_US, count=count)
        return list(claims)

    async def done(self, claimed: ClaimedEvent) -> None:
        async with self.database.transaction() as tx:
            await self.outbox.done(tx, claimed, now_us=self.clock.now_us())

    async def backlog(self) -> tuple[int, int]:
        async with self.database.read() as tx:
            return await self.outbox.backlog(tx)


def texts(claims: list[ClaimedEvent]) -> list[str]:
    return sorted(claimed.event.payload["text"] for claimed in claims)


async def test_event_is_published_only_when_its_transaction_commits(database: Database) -> None:
    story = Story(database)

    async def change_and_fail() -> None:
        async with database.transaction() as tx:
            await story.emit_in(tx, "dev_1", "never")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await change_and_fail()
    assert await story.claim() == []
    await story.emit("dev_1", "yes")
    assert texts(await story.claim()) == ["yes"]


async def test_events_with_the_same_key_are_claimed_in_order_and_events_with_different_keys_in_parallel(
    database: Database,
) -> None:
    story = Story(database)
    for key, text in (("dev_1", "a1"), ("dev_1", "a2"), ("dev_2", "b1")):
        await story.emit(key, text)
    first = await story.claim()
    assert texts(first) == ["a1", "b1"]
    assert await story.claim() == []
    await story.done(first[0] if first[0].event.key == "dev_1" else first[1])
    assert texts(await story.claim()) == ["a2"]


async def test_each_event_is_claimed_by_only_one_of_many_workers(database: Database) -> None:
    story = Story(database)
    for number in range(40):
        await story.emit(f"dev_{number}", str(number))
    claims = await asyncio.gather(*(story.claim(10) for _ in range(8)))
    ids = [claimed.event.id for portion in claims for claimed in portion]
    assert len(ids) == len(set(ids))
    ids.extend(claimed.event.id for claimed in await story.claim(40))
    assert len(set(ids)) == 40


async def test_worker_with_an_expired_lease_cannot_complete_an_event_claimed_by_another_worker(
    database: Database,
) -> None:
    story = Story(database)
    await story.emit("dev_1", "x")
    (slow,) = await story.claim()
    story.clock.advance(us=LEASE_US - 1)
    assert await story.claim() == []
    story.clock.advance(us=1)
    (quick,) = await story.claim()
    assert quick.lease_token == slow.lease_token + 1
    with pytest.raises(LeaseLost):
        await story.done(slow)
    await story.done(quick)
    with pytest.raises(LeaseLost):
        await story.done(quick)


class Notebook:
    """A subscriber that writes a row for each event; the first `stumbles` times it raises an error after writing."""

    def __init__(self, story: Story, *, stumbles: int = 0) -> None:
        self._story = story
        self._stumbles = stumbles
        self.heard: list[str] = []

    async def take(self, tx: Transaction, event: DomainEvent) -> None:
        if event.type != "test.happened":
            return
        await self._story.outbox.emit(
            tx, "test.noted", Viewer("tnt_1", None), key="notes", payload=event.payload, at_us=event.at_us
        )
        if self._stumbles:
            self._stumbles -= 1
            raise RuntimeError("stumbled after writing")
        self.heard.append(event.payload["text"])


async def test_changes_of_a_failing_subscriber_are_rolled_back_and_retried_after_increasing_delays(
    database: Database,
) -> None:
    story = Story(database)
    notebook = Notebook(story, stumbles=2)
    relay = Relay(database, story.outbox, [notebook], story.clock)
    await story.emit("dev_1", "x")
    assert await relay.step() == 1
    assert await relay.step() == 0
    story.clock.advance(us=retry_delay_us(1))
    assert await relay.step() == 1
    story.clock.advance(us=retry_delay_us(1))
    assert await relay.step() == 0, "the second pause is longer"
    story.clock.advance(us=retry_delay_us(2))
    assert await relay.step() == 1
    assert notebook.heard == ["x"]
    assert await story.backlog() == (1, 0), "one note, written once"


async def test_event_that_reached_the_attempt_limit_does_not_block_the_next_event_with_the_same_key(
    database: Database,
) -> None:
    story = Story(database)
    notebook = Notebook(story, stumbles=ATTEMPTS_MAX)
    relay = Relay(database, story.outbox, [notebook], story.clock)
    await story.emit("dev_1", "bad")
    await story.emit("dev_1", "good")
    for _ in range(ATTEMPTS_MAX):
        assert await relay.step() == 1
        story.clock.advance(us=300 * SECOND_US)
    assert await story.backlog() == (1, 1)
    await relay.step()
    assert notebook.heard == ["good"]


async def test_delivered_events_are_deleted_after_a_month(database: Database) -> None:
    story = Story(database)
    await story.emit("dev_1", "x")
    await Relay(database, story.outbox, [], story.clock).step()
    await story.emit("dev_1", "still pending")
    for passed_us, deleted in ((30 * DAY_US, 0), (1, 1), (30 * DAY_US, 0)):
        story.clock.advance(us=passed_us)
        assert await sweep_once(database, story.clock, "events") == deleted


async def test_outbox_relay_stops_when_its_stop_event_is_set(database: Database) -> None:
    story = Story(database)
    stopping = asyncio.Event()
    relay = Relay(database, story.outbox, [], story.clock)
    await story.emit("dev_1", "x")
    running = asyncio.create_task(relay.run(stopping))

    async def handed_on() -> bool:
        return (await story.backlog())[0] == 0

    await eventually(handed_on)
    stopping.set()
    async with asyncio.timeout(30):
        await running


def test_retry_delays_double_up_to_a_limit() -> None:
    assert [retry_delay_us(attempt) // SECOND_US for attempt in (1, 2, 3, 8, 9, 10, 50)] == [
        1,
        2,
        4,
        128,
        256,
        300,
        300,
    ]
