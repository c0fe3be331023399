"""The pump between link and store stores reports before it acknowledges them, even if the link or the store fails."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.transports.clock import Instant, SystemClock
from gateway.transports.link import Direction, Link
from gateway.transports.pump import SEND_LIMIT_S, Nudge, pump
from gateway.transports.tcp import TcpLink
from protocols.ieee11073.association.events import Event, LinkLost
from tests.builders.links_association import ByteAssociation, report_numbers
from tests.harness.eventually import eventually
from tests.harness.link_pair import link_pair
from tests.harness.moved_clock import MovedClock


class Store:
    """A stand-in for the store that keeps the delivered observation events. Each delivery waits until `finish` is set.

    The stand-in refuses the report numbers in `refuses`, and raises OSError if `fails`.
    """

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
    async with asyncio.timeout(30):
        while len(data) < size:
            data += await link.receive()
    return data


async def test_report_is_acknowledged_only_after_its_commit():
    store = Store(slow=True)
    async with link_pair() as (manager, device), asyncio.TaskGroup() as group:
        group.create_task(pump(manager, ByteAssociation(), store.deliver, SystemClock()))
        await device.send(b"?a")
        assert await read_exactly(device, 1) == b"!", "what waits for nothing leaves while the store is busy"
        await eventually(lambda: store.batches)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await device.receive()
        store.finish.set()
        assert await read_exactly(device, 2) == b"+a"
        await device.send(b".")


async def test_reports_received_together_are_stored_in_one_commit():
    store = Store()
    async with link_pair() as (manager, device):
        await device.send(b"abcdef.")
        assert await pump(manager, ByteAssociation(), store.deliver, MovedClock(boot_id="b7")) is True
        assert [report_numbers(batch) for batch in store.batches] == [b"abcdef"]
        assert store.at == [Instant(1000.0, 1_700_000_000_000_000, "b7")]
        assert await read_exactly(device, 12) == b"+a+b+c+d+e+f"


async def test_report_refused_by_the_store_is_rejected_and_other_reports_are_acknowledged():
    async with link_pair() as (manager, device):
        await device.send(b"abc.")
        await pump(manager, ByteAssociation(), Store(refuses=b"b").deliver, SystemClock())
        assert await read_exactly(device, 6) == b"+a-b+c"


async def test_reports_are_rejected_and_the_error_is_raised_when_the_store_fails():
    async with link_pair() as (manager, device):
        await device.send(b"ab")
        with pytest.raises(OSError, match="disk is gone"):
            await pump(manager, ByteAssociation(), Store(fails=True).deliver, SystemClock())
        assert await read_exactly(device, 4) == b"-a-b"


async def test_last_report_received_before_a_disconnection_is_stored():
    store = Store()
    async with link_pair() as (manager, device):
        await device.send(b"z")
        await device.close()
        assert await pump(manager, ByteAssociation(), store.deliver, SystemClock()) is False
    assert store.reports == b"z"
    assert isinstance(store.batches[-1][-1], LinkLost)


async def test_reports_received_before_a_failed_send_are_stored():
    store = Store()
    manager_says_much = ByteAssociation(opening=b"x" * 8_000_000)
    async with link_pair() as (manager, device):
        running = asyncio.ensure_future(pump(manager, manager_says_much, store.deliver, SystemClock()))
        await device.send(b"late")
        await asyncio.sleep(0)
        await device.close()
        assert await running is False
    assert isinstance(store.batches[-1][-1], LinkLost)
    assert store.reports in (b"late", b""), "all of it, or nothing where the kernel threw it away with the connection"


async def test_peer_that_does_not_read_is_disconnected_after_the_send_limit():
    clock, store = MovedClock(), Store()
    async with link_pair() as (manager, device):
        await device.send(b"a")
        running = asyncio.ensure_future(pump(manager, ByteAssociation(opening=b"x" * 8_000_000), store.deliver, clock))
        await eventually(lambda: clock.next_deadline_s == clock.monotonic_s() + SEND_LIMIT_S)
        await clock.advance(SEND_LIMIT_S)
        assert await running is False
    assert store.reports == b"a"
    assert isinstance(store.batches[-1][-1], LinkLost)


async def test_expired_timeout_is_reported_to_the_association():
    clock = MovedClock()
    async with link_pair() as (manager, device):
        running = asyncio.ensure_future(
            pump(manager, ByteAssociation(deadline_s=clock.monotonic_s() + 10), Store().deliver, clock)
        )
        await clock.settle()
        await clock.advance(9.9)
        assert not running.done()
        await clock.advance(0.1)
        assert await running is True
        assert await read_exactly(device, 1) == b"T"


async def test_response_that_arrived_in_time_is_accepted_when_a_commit_delays_its_processing():
    clock, store = MovedClock(), Store(slow=True)
    association = ByteAssociation(deadline_s=clock.monotonic_s() + 10)
    async with link_pair() as (manager, device):
        assert isinstance(manager, TcpLink)
        running = asyncio.ensure_future(pump(manager, association, store.deliver, clock))
        await device.send(b"a")
        await eventually(lambda: store.batches)
        await device.send(b".")
        await eventually(lambda: manager.queued_bytes, what="the answer has arrived")
        await clock.advance(11)
        store.finish.set()
        assert await running is True
        assert await read_exactly(device, 2) == b"+a", "and no T: the device had answered"


async def test_output_queued_by_another_task_is_sent_when_the_pump_is_notified():
    association, nudge = ByteAssociation(), Nudge()
    async with link_pair() as (manager, device), asyncio.TaskGroup() as group:
        group.create_task(pump(manager, association, Store().deliver, SystemClock(), nudge=nudge))
        for word in (b"Get", b"Set"):
            association.say(word)
            nudge()
            assert await read_exactly(device, 3) == word
        await device.send(b".")


async def test_notification_of_the_pump_during_a_commit_is_not_lost():
    association, nudge, store = ByteAssociation(), Nudge(), Store(slow=True)
    async with link_pair() as (manager, device), asyncio.TaskGroup() as group:
        group.create_task(pump(manager, association, store.deliver, SystemClock(), nudge=nudge))
        await device.send(b"a")
        await eventually(lambda: store.batches)
        association.deadline_s = 0.0
        nudge()
        store.finish.set()
        assert await read_exactly(device, 3) == b"+aT"


async def test_link_trace_contains_the_bytes_of_both_directions_in_order():
    seen: list[tuple[Direction, bytes, float]] = []

    class Seen:
        def trace(self, direction: Direction, data: bytes, at_s: float) -> None:
            seen.append((direction, data, at_s))

    async with link_pair() as (manager, device):
        await device.send(b"a.")
        await pump(manager, ByteAssociation(opening=b"hi"), Store().deliver, MovedClock(), Seen())
    assert seen == [("sent", b"hi", 1000.0), ("received", b"a.", 1000.0), ("sent", b"+a", 1000.0)]


@pytest.mark.parametrize("slice_bytes", [1, 7, None])
async def test_same_reports_are_stored_however_the_bytes_arrive(slice_bytes):
    store = Store()
    async with link_pair(slice_bytes=slice_bytes) as (manager, device):
        await device.send(b"story?told.")
        await pump(manager, ByteAssociation(), store.deliver, SystemClock())
    assert store.reports == b"storytold"
