"""Records that a session received and had not stored when it was stopped are stored once.

The session stores them at its end, and with the mark (last durable record) that they reach, so that the gateway does
not fetch them again after a restart.
"""

import asyncio
from pathlib import Path

from protocols.ble.record_procedure import ANSWER_S
from protocols.ble.uuids import GLUCOSE
from tests.builders.gatt_devices import GLUCOSE_MEASUREMENT, Meter, glucose
from tests.builders.gatt_sessions import GattGateway, gatt_gateway
from tests.harness.eventually import eventually


async def stop_with_queued_records(gateway: GattGateway, meter: Meter, queued: int, dropped: int = 0) -> None:
    """Connect the meter, and cancel the session as soon as `queued` values are received and none of them is stored.
    `dropped` more values find the queue full."""
    meter.peer.queue_max, meter.peer.records_at_once = queued, queued + dropped
    gateway.session(meter.peer)
    link = meter.peer.link
    assert link is not None
    await eventually(lambda: link.queued == queued, what="the records are queued", poll_s=0)
    for task in gateway.running:
        task.cancel()
    await asyncio.gather(*gateway.running, return_exceptions=True)
    gateway.running.clear()


async def fetch_rest(folder: Path, meter: Meter, records: int) -> list[object]:
    """Restart the gateway, and connect the meter until the store has `records` records at least and the transfer has
    ended. Return the stored values."""
    meter.peer.records_at_once = meter.peer.queue_max = 1000
    async with gatt_gateway(folder) as gateway:
        meter.peer.clock = gateway.clock
        gateway.session(meter.peer)

        async def there() -> bool:
            return len(await gateway.values()) >= records and "records.fetched" in await gateway.event_names()

        await eventually(there, what="the rest is fetched")
        return await gateway.values()


async def test_queued_records_of_a_stopped_session_are_not_stored_again_after_a_restart(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1, 2, 3, 4, 5)
        await stop_with_queued_records(gateway, meter, 3)
        assert await gateway.values() == [101.0, 102.0, 103.0]
        assert [each.through for each in await gateway.buffer.fetched_records()] == [3]
    assert await fetch_rest(tmp_path, meter, 5) == [101.0, 102.0, 103.0, 104.0, 105.0]


async def test_record_that_was_dropped_before_the_end_of_a_session_is_fetched_after_a_restart(tmp_path: Path):
    """Record 3 finds the queue full, and record 4 arrives while the stack closes the link."""
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1, 2, 3, 4)
        meter.peer.while_closing = [(GLUCOSE, GLUCOSE_MEASUREMENT, glucose(4))]
        await stop_with_queued_records(gateway, meter, 2, dropped=1)
        assert await gateway.buffer.fetched_records() == []
    assert 103.0 in await fetch_rest(tmp_path, meter, 4)


async def test_record_that_arrives_after_a_transfer_timed_out_is_not_stored_again_after_a_restart(tmp_path: Path):
    """The meter sends record 3 while the stack closes the link, since the transfer did not end in time."""
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1, 2, 3, 4)
        meter.peer.records_at_once = 2
        meter.peer.while_closing = [(GLUCOSE, GLUCOSE_MEASUREMENT, glucose(3))]
        await gateway.serving(gateway.session(meter.peer))
        await eventually(lambda: gateway.values(), what="the first records are stored")
        await gateway.clock.advance(ANSWER_S)
        await gateway.ended()
        assert await gateway.values() == [101.0, 102.0, 103.0]
    assert await fetch_rest(tmp_path, meter, 4) == [101.0, 102.0, 103.0, 104.0]
