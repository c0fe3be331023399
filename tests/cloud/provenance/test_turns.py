"""Verifications run one after the other, and a place in their queue is taken until its thread has ended."""

import asyncio
from threading import Event

import pytest

from cloud.work.provenance import turns
from cloud.work.provenance.errors import VerificationBusy
from cloud.work.provenance.turns import Turns


async def test_place_of_a_request_that_ended_is_free_when_its_thread_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TENANT_QUEUED_MAX", 1)
    queue, begun, go_on = Turns(), Event(), Event()

    def work() -> None:
        begun.set()
        go_on.wait(60)
        raise ZeroDivisionError  # after its request

    async def verify() -> None:
        with queue.place("tnt_1") as place:
            await place.run(work)

    request = asyncio.create_task(verify())
    await asyncio.to_thread(begun.wait, 60)
    request.cancel()
    await asyncio.wait([request])
    with pytest.raises(VerificationBusy), queue.place("tnt_1"):
        raise AssertionError
    go_on.set()
    with queue.place("tnt_2") as other:
        assert await other.run(lambda: "its turn") == "its turn"
    with queue.place("tnt_1") as place:
        assert await place.run(lambda: 1) == 1


async def test_work_whose_request_ended_before_its_turn_is_dropped() -> None:
    queue, go_on, did = Turns(), Event(), []

    async def verify(tenant_id: str, wait: bool) -> None:
        with queue.place(tenant_id) as place:
            await place.run(lambda: go_on.wait(60) if wait else did.append(tenant_id))

    first = asyncio.create_task(verify("tnt_1", wait=True))
    second = asyncio.create_task(verify("tnt_2", wait=False))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    go_on.set()
    await first
    await verify("tnt_3", wait=False)
    assert did == ["tnt_3"]
