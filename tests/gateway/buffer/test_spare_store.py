"""An unusable store never stops the gateway: the store is set aside unchanged, and a spare store replaces it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import Buffer, BufferSettings, BufferUnusable, StoreFull, create_store, losses
from gateway.buffer.ble_devices import PairedDevice
from gateway.buffer.database import PAGE_BYTES
from gateway.buffer.errors import Trouble
from gateway.buffer.losses import Loss
from gateway.buffer.set_aside import set_aside_paths
from gateway.buffer.store import Store
from gateway.buffer.store_in_use import RETRY_S
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import GatewayEvent, decode_event
from protocols.uplink.gaps import GapReason
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState
from tests.builders.buffer_observations import numerics, section
from tests.builders.buffer_store import GATEWAY, KEY, OTHER_KEY, QUICK, new_store, opened, whole_lane
from tests.builders.damaged_stores import damage_leaf_page, filled_store, overwrite
from tests.harness.buffer_small_disk import mount_again, remount, shut_down, small_disk
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock


@asynccontextmanager
async def serving(
    path: Path, *, clock: MovedClock | None = None, key: bytes = KEY, settings: BufferSettings = QUICK
) -> AsyncIterator[Buffer]:
    """Open a buffer as a running gateway does, and run the task that maintains its store."""
    buffer = await Buffer.open(
        path, gateway=GATEWAY, key=key, settings=settings, clock=clock or MovedClock(), serving=True
    )
    keeping = asyncio.create_task(buffer.keep())
    try:
        yield buffer
        if keeping.done():
            keeping.result()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await buffer.close()


async def events(buffer: Buffer, name: str) -> list[GatewayEvent]:
    batches = [batch for batch in await whole_lane(buffer, Lane.EVENT) if batch.kind is BatchKind.EVENT]
    return [event for event in (decode_event(batch.payload) for batch in batches) if event.name == name]


async def drain(buffer: Buffer, lane: Lane) -> None:
    """Read all batches of a lane (one of the store's queues), as the uplink does."""
    found = await buffer.next_batches(lane, after=0, limit_batches=999, limit_bytes=1 << 30)
    while found:
        found = await buffer.next_batches(lane, after=found[-1].sequence, limit_batches=999, limit_bytes=1 << 30)


def half(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // PAGE_BYTES * PAGE_BYTES)


HARMS: dict[str, Callable[[Path], None]] = {
    "file magic": lambda path: overwrite(path, 0, b"SQLighter"),
    "schema page": lambda path: overwrite(path, 100, bytes(400)),
    "name of a column": lambda path: path.write_bytes(path.read_bytes().replace(b"row_hash", b"row_hasj")),
    "zero bytes": lambda path: path.write_bytes(b""),
    "half the file": half,
    "header of a waveform leaf": lambda path: damage_leaf_page(path, Lane.WAVEFORM, bytes(8)),
    "another program's file": lambda path: path.write_bytes(b"not a database at all" * 999),
}


@pytest.mark.finding("reliability-A1")
@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
async def test_store_that_cannot_be_opened_is_kept_unchanged_and_replaced_by_a_spare_store(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = await filled_store(tmp_path)
    async with opened(path) as buffer:
        epoch, last = buffer.epoch, buffer.marks()[Lane.NUMERIC].last
    harm(path)
    damaged = path.read_bytes()
    async with serving(path) as buffer:
        await buffer.append_sections([section(numerics(3))])
        assert buffer.epoch not in ("", epoch)
        assert buffer.store_state is StoreState.OK
        (aside,) = set_aside_paths(path)
        assert aside.read_bytes() == damaged, "never repaired, never deleted"
        (record,) = await events(buffer, "store.set_aside")
        assert record.fields["file"] == aside.name
        assert (record.fields["epoch"], record.fields["numeric_last"]) == (epoch, last), "from the marks beside it"
        (shown,) = buffer.archive.records()
        assert shown.fields == dict(record.fields)
        assert buffer.archive.unsent() == 1, "its batches are not saved yet"
    async with serving(path) as buffer:
        assert len(set_aside_paths(path)) == 1, "the spare store is an ordinary one"
        assert len(await events(buffer, "store.set_aside")) == 1, "one record for one store"


@pytest.mark.finding("reliability-A1")
@pytest.mark.parametrize(("key", "gateway"), [(OTHER_KEY, GATEWAY), (KEY, "gw-other")], ids=["key", "gateway"])
async def test_store_of_another_key_or_gateway_is_replaced_by_a_spare_store(
    tmp_path: Path, key: bytes, gateway: str
) -> None:
    path = tmp_path / "buffer.db"
    create_store(path, gateway=gateway, key=key, now_us=1)
    async with serving(path) as buffer:
        (record,) = await events(buffer, "store.set_aside")
        assert record.fields["trouble"] == Trouble.FOREIGN.value


async def test_spare_store_contains_the_paired_devices_and_the_last_known_time(tmp_path: Path) -> None:
    path = await filled_store(tmp_path)
    paired = PairedDevice(
        address="AA:BB:CC:DD:EE:FF", name="oximeter", system_id="", bonded=True, paired_us=5, services=(0x1822,)
    )
    async with opened(path) as buffer:
        await buffer.remember_ble_device(paired)
        await buffer.remember_device("0011223344556677", "model")
        await buffer.state_put("wall_us", "1700000000000000")
        await buffer.remember_device_reports([("0011223344556677", b"what was seen of it")])
        await buffer.remember_configuration(bytes(8), 0x4000, b"octets")
    damage_leaf_page(path, Lane.WAVEFORM, bytes(8))
    async with serving(path) as buffer:
        assert await buffer.ble_devices() == [paired]
        assert [each.model for each in await buffer.devices()] == ["model"]
        assert await buffer.state_get("wall_us") == "1700000000000000"
        assert await buffer.device_reports() == [b"what was seen of it"]
        assert await buffer.configurations() == [], "the device sends its own again"


@pytest.mark.finding("reliability-A2")
async def test_buffer_moves_to_a_spare_store_without_a_restart_when_a_page_is_damaged(tmp_path: Path) -> None:
    path = await filled_store(tmp_path)
    clock = MovedClock()
    async with serving(path, clock=clock) as buffer:
        epoch = buffer.epoch
        damage_leaf_page(path, Lane.WAVEFORM, bytes(8))
        await drain(buffer, Lane.WAVEFORM)
        await eventually(lambda: buffer.epoch not in ("", epoch))
        await buffer.append_sections([section(numerics(3))])
        assert len(await events(buffer, "store.set_aside")) == 1
        assert buffer.failure is None


async def test_live_observations_in_memory_are_counted_as_lost_when_their_store_fails(tmp_path: Path) -> None:
    path = await filled_store(tmp_path)
    async with serving(path, settings=replace(QUICK, batch_s=1.0)) as buffer:
        epoch = buffer.epoch
        damage_leaf_page(path, Lane.WAVEFORM, bytes(8))
        await buffer.append_live([section(numerics(5))])
        await drain(buffer, Lane.WAVEFORM)
        await eventually(lambda: buffer.epoch not in ("", epoch))

        async def counted() -> bool:
            return [(each.lane, each.gap.observations) for each in await buffer.gaps()] == [(Lane.NUMERIC, 5)]

        await eventually(counted)


async def test_new_epoch_takes_over_the_open_batch_and_the_live_observations_in_memory(tmp_path: Path) -> None:
    async with serving(new_store(tmp_path), settings=replace(QUICK, batch_s=1.0)) as buffer:
        epoch = buffer.epoch
        await buffer.append_sections([section(numerics(1, first=1.0))])
        await buffer.append_live([section(numerics(1, first=2.0))])
        await buffer.archive.begin_epoch()
        await eventually(lambda: buffer.epoch not in ("", epoch))

        async def carried() -> bool:
            return [record.value async for record in buffer.records(limit=10)] == [1.0, 2.0]

        await eventually(carried)
        assert await buffer.gaps() == []


@pytest.mark.finding("reliability-A1")
async def test_missing_store_is_not_created_and_is_opened_when_its_file_appears(tmp_path: Path) -> None:
    """An unmounted disk looks like a missing store: a second history must not begin beside the first."""
    clock, path = MovedClock(), tmp_path / "buffer.db"
    async with serving(path, clock=clock) as buffer:
        assert (buffer.epoch, buffer.store_state) == ("", StoreState.FULL)
        assert buffer.failure is not None
        assert buffer.failure.trouble is Trouble.MISSING
        with pytest.raises(StoreFull):
            await buffer.append_sections([section(numerics(3))], held_by_device=True)
        with pytest.raises(StoreFull):
            await buffer.append_sections([section(numerics(4))])
        with pytest.raises(StoreFull):
            await buffer.state_put("name", "value")
        assert await buffer.next_batches(Lane.NUMERIC, after=0, limit_batches=1, limit_bytes=1) == []
        assert not path.exists()
        new_store(tmp_path)
        await clock.advance(RETRY_S)
        await eventually(lambda: buffer.epoch != "")

        async def counted() -> bool:
            return bool(await buffer.gaps())

        await eventually(counted)
        (gap,) = [found.gap for found in await buffer.gaps()]
        assert (gap.why, gap.observations) == (GapReason.STORE_FULL, 4), "what no device holds is counted"


async def test_losses_are_recorded_in_the_next_store_when_the_opened_store_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full when the store appears must not make the refused observations vanish without a record."""
    record, refused, room = losses.record, threading.Event(), threading.Event()

    def recorded_with_room(store: Store, lost: Sequence[Loss], why: GapReason = GapReason.STORE_FULL) -> None:
        if not room.is_set():
            refused.set()
            raise StoreFull("no room for a gap record")
        record(store, lost, why)

    monkeypatch.setattr(losses, "record", recorded_with_room)
    clock, path, elsewhere = MovedClock(), tmp_path / "buffer.db", tmp_path / "elsewhere"
    elsewhere.mkdir()
    filled = await filled_store(elsewhere)  # complete before it appears, since the buffer opens a store at once
    async with serving(path, clock=clock) as buffer:
        with pytest.raises(StoreFull):
            await buffer.append_sections([section(numerics(4))])
        filled.rename(path)
        await clock.advance(RETRY_S)
        await eventually(refused.is_set, what="the first store has no room for the gap record")
        await buffer.state_put("name", "value")  # done after the refused gap record
        room.set()
        damage_leaf_page(path, Lane.WAVEFORM, bytes(8))
        epoch = buffer.epoch
        await drain(buffer, Lane.WAVEFORM)
        await eventually(lambda: buffer.epoch not in ("", epoch), what="a spare store")

        async def lost() -> list[int]:
            return [one.gap.observations for one in await buffer.gaps() if one.gap.why is GapReason.STORE_FULL]

        async def counted() -> bool:
            return await lost() == [4]

        await eventually(counted, what="the gap record of the refused observations")


async def test_store_in_use_by_another_process_is_rejected(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path):
        with pytest.raises(BufferUnusable, match="Another process"):
            await Buffer.open(
                path,
                gateway=GATEWAY,
                key=KEY,
                settings=QUICK,
                clock=MovedClock(),
                serving=True,
            )


@pytest.mark.finding("reliability-A1")
async def test_store_on_a_read_only_disk_rejects_appends_and_reopens_when_the_disk_is_writable(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=24) as disk:
        path = new_store(disk)
        async with opened(path) as buffer:
            await buffer.append_sections([section(numerics(3))])
            epoch = buffer.epoch
        remount(disk, read_only=True)
        clock = MovedClock()
        async with serving(path, clock=clock) as buffer:
            assert buffer.store_state is StoreState.FULL
            with pytest.raises(StoreFull):
                await buffer.append_sections([section(numerics(3))], held_by_device=True)
            remount(disk, read_only=False)
            await clock.advance(RETRY_S)
            await eventually(lambda: buffer.epoch != "")
            assert buffer.epoch == epoch, "nothing was wrong with the store"
            assert set_aside_paths(path) == []


@pytest.mark.finding("reliability-A1")
async def test_appends_are_rejected_after_a_failed_disk_write_until_a_spare_store_is_created(tmp_path: Path) -> None:
    """After a failed flush the kernel may mark the file's dirty pages clean, so the file is not trusted again."""
    with small_disk(tmp_path / "disk", megabytes=24, kind="ext4") as disk:
        path, clock = new_store(disk), MovedClock()
        async with serving(path, clock=clock) as buffer:
            await buffer.append_sections([section(numerics(3))])
            epoch = buffer.epoch
            shut_down(disk)
            with pytest.raises(StoreFull):
                await buffer.append_sections([section(numerics(5))])
            await eventually(lambda: buffer.store_state is StoreState.FULL)
            with pytest.raises(StoreFull):
                await buffer.append_sections([section(numerics(2))], held_by_device=True)
            await eventually(lambda: mount_again(disk))
            await clock.advance(RETRY_S)
            await eventually(lambda: buffer.store_state is StoreState.OK)
            assert buffer.epoch != epoch
            (record,) = await events(buffer, "store.set_aside")
            assert record.fields["trouble"] == Trouble.DISK.value

            async def counted() -> bool:
                return [found.gap.observations for found in await buffer.gaps()] == [5]

            await eventually(counted)


async def test_spare_store_is_created_when_power_was_cut_after_the_damaged_store_was_renamed(tmp_path: Path) -> None:
    path = await filled_store(tmp_path)
    path.rename(path.with_name(path.name + ".set-aside-1"))
    async with serving(path) as buffer:
        (record,) = await events(buffer, "store.set_aside")
        assert record.fields["file"] == "buffer.db.set-aside-1"
        assert json.loads(path.with_name("buffer.db.set-aside-1.json").read_text()) == dict(record.fields)


@pytest.mark.finding("reliability-B")
async def test_store_with_a_truncated_write_ahead_log_is_replaced_by_a_store_of_a_new_epoch(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        for n in range(30):
            await buffer.append_sections([section(numerics(3, first=float(n)))])
        epoch = buffer.epoch
        log = path.with_name(path.name + "-wal").read_bytes()
        file, marks = path.read_bytes(), path.with_name(path.name + ".marks").read_bytes()
    path.write_bytes(file)
    path.with_name(path.name + "-wal").write_bytes(log[: len(log) // 2])
    path.with_name(path.name + ".marks").write_bytes(marks)
    async with serving(path) as buffer:
        assert buffer.epoch != epoch
        (record,) = await events(buffer, "store.set_aside")
        assert (record.fields["trouble"], record.fields["numeric_last"]) == (Trouble.ROLLED_BACK.value, 30)
