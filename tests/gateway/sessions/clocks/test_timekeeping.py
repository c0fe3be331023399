"""The gateway stores an event about its clock once, and again when it learns the time more precisely."""

import asyncio
from contextlib import asynccontextmanager

from gateway.buffer import StoreFull
from gateway.sessions.clocks.boots import BOOTS_STATE, Boots
from gateway.sessions.clocks.timekeeping import Timekeeping
from gateway.sessions.clocks.trusted_clock import BUILD_US, WALL_STATE, TrustedClock
from protocols.uplink.clock_events import anchor_of
from protocols.uplink.events import GatewayEvent, decode_event, encode_event
from tests.harness.moved_clock import MovedClock

NOW_US = BUILD_US + 86_400_000_000


class Notebook:
    """A stand-in for the store that keeps its content in memory, and refuses every write while `full` is True."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.events: list[GatewayEvent] = []
        self.full = False

    async def state_get(self, name: str) -> str | None:
        return self.facts.get(name)

    async def state_put(self, name: str, value: str) -> None:
        if self.full:
            raise StoreFull("the disk has no room")
        self.facts[name] = value

    async def append_event(self, event: GatewayEvent) -> None:
        if self.full:
            raise StoreFull("the disk has no room")
        self.events.append(decode_event(encode_event(event)))

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]


class Keeper:
    """The timekeeping of a gateway on a machine whose kernel reports the clock error `error_us`. If `error_us` is None,
    the clock is not synchronised."""

    def __init__(
        self, store: Notebook, *, error_us: int | None, wall_us: int = NOW_US, boot_id: str = "boot-1"
    ) -> None:
        self.store = store
        self.error_us = error_us
        self.machine = MovedClock(monotonic_s=50.0, wall_us=wall_us)
        self.clock = TrustedClock(self.machine, disciplined=lambda: self.error_us)
        self.keeping = Timekeeping(self.clock)
        self.changes = 0

    def changed(self) -> None:
        self.changes += 1

    @asynccontextmanager
    async def following(self):
        await self.keeping.load(self.store)
        task = asyncio.create_task(self.keeping.follow(self.store, self.changed))
        await self.machine.settle()
        try:
            yield
        finally:
            task.cancel()

    async def states(self, error_us: int | None) -> None:
        self.error_us = error_us
        await self.machine.advance(1.0)


async def test_clock_anchor_is_reported_again_only_when_the_clock_error_is_four_times_smaller():
    keeper = Keeper(Notebook(), error_us=2_000_000)
    async with keeper.following():
        reported = [len(keeper.store.names)]
        for error_us in (1_000_000, 300_000, 250_000, 20_000, 1000):
            await keeper.states(error_us)
            reported.append(len(keeper.store.names))
    assert reported == [1, 1, 2, 2, 3, 3]
    (anchor,) = keeper.keeping.boots.anchors.values()
    assert anchor.uncertainty_us == 20_000
    assert set(keeper.store.names) == {"clock.learnt"}


async def test_loss_of_the_time_service_is_reported_with_the_last_synchronised_time():
    keeper = Keeper(Notebook(), error_us=5000)
    async with keeper.following():
        await keeper.machine.advance(600.0)
        keeper.machine.set_wall_us(0)
        await keeper.states(None)
    assert keeper.store.names == ["clock.learnt", "clock.lost"]
    lost = anchor_of(keeper.store.events[-1])
    assert lost is not None
    assert lost.offset_us == NOW_US - 50_000_000
    assert lost.last_us == 650_000_000
    assert keeper.changes == 1
    assert keeper.clock.wall_us() == NOW_US + 601_000_000


async def test_clock_anchor_refused_by_a_full_disk_is_written_when_space_is_free():
    keeper = Keeper(Notebook(), error_us=5000)
    keeper.store.full = True
    async with keeper.following():
        assert keeper.keeping.boots.anchors == {}
        keeper.store.full = False
        await keeper.states(5000)
        assert keeper.store.names == ["clock.learnt"]
        assert list(keeper.keeping.boots.anchors) == ["boot-1"]


async def test_estimated_time_is_reported_once_per_boot():
    store = Notebook()
    store.facts[WALL_STATE] = str(NOW_US)
    for wall_us, reported in ((0, ["clock.estimated"]), (0, ["clock.estimated"]), (NOW_US + 1, ["clock.estimated"])):
        keeper = Keeper(store, error_us=None, wall_us=wall_us)
        async with keeper.following():
            await keeper.machine.advance(30.0)
        assert store.names == reported


async def test_restarted_gateway_process_continues_from_the_known_time_of_its_boot():
    store = Notebook()
    async with Keeper(store, error_us=5000).following():
        pass
    later = Keeper(store, error_us=None, wall_us=0)
    async with later.following():
        assert later.clock.wall_us() == NOW_US
        assert not later.clock.estimated or store.names == ["clock.learnt"]
    assert store.names == ["clock.learnt"]


async def test_time_and_boot_records_are_persisted_every_minute():
    keeper, answers = Keeper(Notebook(), error_us=None), []
    await keeper.keeping.load(keeper.store)
    task = asyncio.create_task(keeper.keeping.persist(keeper.store, lambda: answers.append(1)))
    await keeper.machine.settle()
    keeper.store.full = True
    await keeper.machine.advance(60.0)
    keeper.store.full = False
    await keeper.machine.advance(60.0)
    task.cancel()
    assert len(answers) == 3
    assert keeper.store.facts[WALL_STATE] == str(NOW_US + 120_000_000)
    boots = Boots(keeper.machine)
    boots.load(keeper.store.facts[BOOTS_STATE])
    assert boots.age_s("boot-1", 50.0) == 120.0
