"""Connection slots: no more than the adapter supports, granted to pairing first, then in the order of requests."""

import asyncio

import pytest

from gateway.transports.ble.slots import Slots
from tests.harness.moved_clock import MovedClock


async def test_connection_slots_are_granted_in_the_order_of_request():
    slots = Slots(1)
    first = await slots.take("A")
    order = []

    async def come(address):
        place = await slots.take(address)
        order.append(address)
        place.give_back()

    tasks = [asyncio.ensure_future(come(address)) for address in "BCD"]
    await MovedClock.settle()
    assert slots.queued == ("B", "C", "D")
    first.give_back()
    await asyncio.gather(*tasks)
    assert order == ["B", "C", "D"]
    assert slots.held == 0


async def test_pairing_is_granted_a_connection_slot_before_other_waiting_devices():
    slots = Slots(1)
    held = await slots.take("A")
    waiting = [asyncio.ensure_future(slots.take("B"))]
    await MovedClock.settle()
    waiting.append(asyncio.ensure_future(slots.take("C", first=True)))
    await MovedClock.settle()
    assert slots.queued == ("C", "B")
    held.give_back()
    await MovedClock.settle()
    assert [task.done() for task in waiting] == [False, True]
    waiting[1].result().give_back()
    (await waiting[0]).give_back()


async def test_cancelled_request_for_a_connection_slot_uses_no_slot():
    slots = Slots(1)
    held = await slots.take("A")
    gives_up, stays = (asyncio.ensure_future(slots.take(address)) for address in "BC")
    await MovedClock.settle()
    gives_up.cancel()
    await MovedClock.settle()
    held.give_back()
    assert (await stays).address == "C"
    assert slots.queued == ()


async def test_connection_slot_granted_to_a_cancelled_request_goes_to_the_next_request():
    slots = Slots(1)
    held = await slots.take("A")
    gives_up, stays = (asyncio.ensure_future(slots.take(address)) for address in "BC")
    await MovedClock.settle()
    held.give_back()
    gives_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gives_up
    assert (await stays).address == "C"
    assert slots.held == 1


async def test_connection_slot_returned_twice_is_freed_once():
    slots = Slots(2)
    place, _ = await slots.take("A"), await slots.take("B")
    place.give_back()
    place.give_back()
    assert slots.held == 1
