"""The pump stores first and responds second, whatever the link and the store do."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.transports.clock import Instant, SystemClock
from gateway.transports.link import Direction, Link
from gateway.transports.pump import SEND_LIMIT_S, Nudge, pump
from gateway.transports.tcp import TcpLink
from protocols.ieee11073.association.events import Event, LinkLost
from tests.builders.links_association import OctetAssociation, report_numbers
from tests.harness.eventually import eventually
from tests.harness.link_pair import link_pair
from tests.harness.moved_clock import MovedClock


class Store:
    """A store whose disk the test controls: it keeps what it is given, and completes when the test permits it."""

    def __init__(self, *, refuses: bytes = b"", fails: bool = False, slow: bool = False) -> None:
        self.batches: list[Sequence[Event]] = []
        self.at: list[Instant] = []
        self.finish = asyncio.Event()
        self._refuses = refuses
        self._fails = fails
        if not slow:
            self.finish.set()

    async def deliver(self, events: Sequence[Event], at: Instant) -> Sequence[bool]:
        self.batches.append(events)
        self.at.append(at)
        await self.finish.wait()
        if self._fails:
            raise OSError("the disk is gone")
        return [not set(report_numbers([event])) & set(self._refuses) for event in events]

    @property
    def reports(self) -> bytes:
        return b"".join(map(report_numbers, self.batches))


async def read_exactly(link: Link, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(5):
        while len(data) < size:
            data += await link.receive()
    return data


async def test_a_report_is_answered_only_after_the_store_has_it():
    store = Store(slow=True)
    async with link_pair() as (manager, device), asyncio.TaskGroup() as group:
        group.create_task(pump(manager, OctetAssociation(), store.deliver, SystemClock()))
        await device.send(b"?a")
        assert await read_exactly(device, 1) == b"!", "what waits for nothing leaves while the store is busy"
        await eventually(lambda: store.batches)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await device.receive()
        store.finish.set()
        assert await read_exactly(device, 2) == b"+a"
        await device.send(b".")


async def test_everything_that_one_receive_brought_shares_one_commit():
    store = Store()
    async with link_pair() as (manager, device):
        await device.send(b"abcdef.")
        assert await pump(manager, OctetAssociation(), store.deliver, MovedClock(boot_id="b7")) is True
        assert [report_numbers(batch) for batch in store.batches] == [b"abcdef"]
        assert store.at == [Instant(1000.0, 1_700_000_000_000_000, "b7")]
        assert await read_exactly(device, 12) == b"+a+b+c+d+e+f"


async def test_what_the_store_cannot_take_is_refused_and_the_rest_is_answered():
    async with link_pair() as (manager, device):
        await device.send(b"abc.")
        await pump(manager, OctetAssociation(), Store(refuses=b"b").deliver, SystemClock())
        assert await read_exactly(device, 6) == b"+a-b+c"


async def test_a_store_that_fails_makes_the_device_keep_its_reports_and_the_error_known():
    async with link_pair() as (manager, device):
        await device.send(b"ab")
        with pytest.raises(OSError, match="disk is gone"):
            await pump(manager, OctetAssociation(), Store(fails=True).deliver, SystemClock())
        assert await read_exactly(device, 4) == b"-a-b"


async def test_the_last_report_of_a_device_that_hangs_up_is_stored():
    store = Store()
    async with link_pair() as (manager, device):
        await device.send(b"z")
        await device.close()
        assert await pump(manager, OctetAssociation(), store.deliver, SystemClock()) is False
    assert store.reports == b"z"
    assert isinstance(store.batches[-1][-1], LinkLost)


async def test_reports_that_came_before_a_failed_send_are_stored():
    store = Store()
    manager_says_much = OctetAssociation(opening=b"x" * 8_000_000)
    async with link_pair() as (manager, device):
        running = asyncio.ensure_future(pump(manager, manager_says_much, store.deliver, SystemClock()))
        await device.send(b"late")
        await asyncio.sleep(0)
        await device.close()
        assert await running is False
    assert isinstance(store.batches[-1][-1], LinkLost)
    assert store.reports in (b"late", b""), "all of it, or nothing where the kernel threw it away with the connection"


async def test_a_peer_that_takes_nothing_is_given_up_after_the_limit():
    clock, store = MovedClock(), Store()
    async with link_pair() as (manager, device):
        await device.send(b"a")
        running = asyncio.ensure_future(pump(manager, OctetAssociation(opening=b"x" * 8_000_000), store.deliver, clock))
        await eventually(lambda: clock.next_deadline_s == clock.monotonic_s() + SEND_LIMIT_S)
        await clock.advance(SEND_LIMIT_S)
        assert await running is False
    assert store.reports == b"a"
    assert isinstance(store.batches[-1][-1], LinkLost)


async def test_a_deadline_that_passes_is_told_to_the_association():
    clock = MovedClock()
    async with link_pair() as (manager, device):
        running = asyncio.ensure_future(
            pump(manager, OctetAssociation(deadline_s=clock.monotonic_s() + 10), Store().deliver, clock)
        )
        await clock.settle()
        await clock.advance(9.9)
        assert not running.done()
        await clock.advance(0.1)
        assert await running is True
        assert await read_exactly(device, 1) == b"T"


async def test_octets_that_came_in_time_count_although_the_deadline_passed_while_storing():
    clock, store = MovedClock(), Store(slow=True)
    association = OctetAssociation(deadline_s=clock.monotonic_s() + 10)
    async with link_pair() as (manager, device):
        assert isinstance(manager, TcpLink)
        running = asyncio.ensure_future(pump(manager, association, store.deliver, clock))
        await device.send(b"a")
        await eventually(lambda: store.batches)
        await device.send(b".")
        await eventually(lambda: manager.waiting_bytes, what="the answer has arrived")
        await clock.advance(11)
        store.finish.set()
        assert await running is True
        assert await read_exactly(device, 2) == b"+a", "and no T: the device had answered"


async def test_a_nudge_sends_what_somebody_else_gave_the_association_to_say():
    association, nudge = OctetAssociation(), Nudge()
    async with link_pair() as (manager, device), asyncio.TaskGroup() as group:
        group.create_task(pump(manager, association, Store().deliver, SystemClock(), nudge=nudge))
        for word in (b"Get", b"Set"):
            association.say(word)
            nudge()
            assert await read_exactly(device, 3) == word
        await device.send(b".")


async def test_a_nudge_while_storing_is_not_lost():
    association, nudge, store = OctetAssociation(), Nudge(), Store(slow=True)
    async with link_pair() as (manager, device), asyncio.TaskGroup() as group:
        group.create_task(pump(manager, association, store.deliver, SystemClock(), nudge=nudge))
        await device.send(b"a")
        await eventually(lambda: store.batches)
        association.deadline_s = 0.0
        nudge()
        store.finish.set()
        assert await read_exactly(device, 3) == b"+aT"


async def test_the_trace_sees_the_octets_of_both_directions_in_order():
    seen: list[tuple[Direction, bytes, float]] = []

    class Seen:
        def trace(self, direction: Direction, data: bytes, at_s: float) -> None:
            seen.append((direction, data, at_s))

    async with link_pair() as (manager, device):
        await device.send(b"a.")
        await pump(manager, OctetAssociation(opening=b"hi"), Store().deliver, MovedClock(), Seen())
    assert seen == [("sent", b"hi", 1000.0), ("received", b"a.", 1000.0), ("sent", b"+a", 1000.0)]


@pytest.mark.parametrize("slice_bytes", [1, 7, None])
async def test_a_story_ends_the_same_however_the_link_slices_it(slice_bytes):
    store = Store()
    async with link_pair(slice_bytes=slice_bytes) as (manager, device):
        await device.send(b"story?told.")
        await pump(manager, OctetAssociation(), store.deliver, SystemClock())
    assert store.reports == b"storytold"
