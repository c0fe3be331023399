"""The stores of a simulated fleet in memory are written and read on the event loop, with the gateway's own code."""

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import Buffer, BufferSettings, BufferUnusable
from gateway.buffer.store import Store
from gateway.transports.clock import SystemClock
from protocols.uplink.lanes import Lane
from simulators.fleet import loop_workers
from simulators.fleet.loop_workers import LoopWorkers, is_in_memory
from tests.builders.buffer_observations import connected, numerics, section, waveform
from tests.builders.buffer_store import GATEWAY, KEY, new_store, whole_lane
from tests.harness.eventually import eventually

SETTINGS = BufferSettings(commit_interval_s=0.0, reserve_bytes=64 << 10)


async def open_on_loop(path: Path, settings: BufferSettings = SETTINGS) -> Buffer:
    return await Buffer.open(
        path, gateway=GATEWAY, key=KEY, settings=settings, clock=SystemClock(), make_workers=LoopWorkers
    )


async def test_store_on_the_loop_commits_and_reads_without_threads(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    buffer = await open_on_loop(path)
    await buffer.append_live([section(waveform(2))])
    await buffer.append_sections([section(numerics(3))])
    await buffer.append_event(connected())
    await buffer.flush()
    assert not [each for each in threading.enumerate() if each.name.startswith("argus-buffer")]
    counts = {lane: [batch.count for batch in await whole_lane(buffer, lane)] for lane in Lane}
    assert counts == {Lane.EVENT: [1], Lane.EPCR: [], Lane.NUMERIC: [3], Lane.WAVEFORM: [2]}
    await buffer.close()
    buffer = await open_on_loop(path)
    assert {lane: mark.last for lane, mark in buffer.marks().items()} == {
        Lane.EVENT: 1, Lane.EPCR: 0, Lane.NUMERIC: 1, Lane.WAVEFORM: 1,
    }  # fmt: skip
    await buffer.close()


async def test_store_on_the_loop_cuts_held_observations_without_a_further_append(tmp_path: Path) -> None:
    buffer = await open_on_loop(new_store(tmp_path), replace(SETTINGS, batch_s=0.01))
    await buffer.append_live([section(waveform(2))])
    await eventually(lambda: buffer.marks()[Lane.WAVEFORM].last == 1, what="the cut of the batch")
    await buffer.close()


async def test_store_on_the_loop_commits_queued_items_when_it_is_closed(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    buffer = await open_on_loop(path, replace(SETTINGS, batch_s=3600.0))
    await buffer.append_live([section(waveform(2))])
    assert buffer.marks()[Lane.WAVEFORM].last == 0
    await buffer.close()
    buffer = await open_on_loop(path)
    assert buffer.marks()[Lane.WAVEFORM].last == 1
    await buffer.close()


async def test_failure_of_a_store_on_the_loop_is_raised_in_its_callers(tmp_path: Path) -> None:
    buffer = await open_on_loop(new_store(tmp_path))

    def fail(_: Store) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    present = buffer._store.require()
    with pytest.raises(Exception, match="the store failed"):
        await present.task(fail)
    with pytest.raises(BufferUnusable):
        await buffer.append_sections([section(numerics(1))])
    await buffer.close()


@pytest.mark.parametrize(
    ("folder", "expected"), [("shm/fleet", True), ("shm", True), ("data/fleet", False), ("", False)]
)
def test_file_system_in_memory_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, expected: bool
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"disk / ext4 rw 0 0\nnone {tmp_path.resolve()}/shm tmpfs rw 0 0\ndisk {tmp_path.resolve()}/data ext4 rw 0 0\n"
    )
    monkeypatch.setattr(loop_workers, "MOUNTS", mounts)
    assert is_in_memory(tmp_path / folder) is expected
