"""A gateway's store that is filled, damaged at a place chosen by a seed, reopened, and checked for lost batches.

The check compares hashes. Every committed batch must be found with its hash, in the store in use or in the recovered
part of the damaged store, or be covered by a gap record. So no batch may disappear without a report.
"""

import asyncio
import random
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.buffer import Buffer
from gateway.buffer.archive import RECOVER_EVERY_S
from gateway.buffer.database import PAGE_BYTES
from gateway.buffer.errors import StoreFull
from gateway.buffer.recovered_store import unsent_paths
from gateway.buffer.set_aside import set_aside_paths
from gateway.buffer.store_reader import StoreReader
from gateway.cli.doctor_store import store_findings
from gateway.cli.provision import provisioned
from gateway.security.identity import Identity
from gateway.settings import Settings, load
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch, BatchKind
from protocols.uplink.events import decode_event
from protocols.uplink.gaps import GapReason, decode_gap
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import connected, noisy_numerics, numerics, section, waveform
from tests.builders.buffer_store import QUICK, whole_lane
from tests.builders.store_pages import Pages, pages_of
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle
from tests.harness.moved_clock import MovedClock

KINDS = ("event", "numeric", "waveform", "overflow", "interior", "index", "small table", "schema", "log", "free")
FRAME_BYTES = PAGE_BYTES + 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Pristine:
    """The vehicle's folder before any damage. `hashes` maps each lane, and then each sequence, to the hash of the
    batch.

    `folder` is the state after a power cut: the newest batches are only in the write-ahead log. `stopped` is the state
    after an orderly stop: all batches are in the database file.
    """

    folder: Path
    stopped: Path
    pages: Pages
    log_frames: int
    epoch: str
    hashes: dict[Lane, dict[int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The outcome for the batches of a damaged store.

    `lost` batches are covered by gap records (records of lost batches) with the reason DAMAGED. `missing` batches are
    neither found nor covered.
    """

    harm: str
    set_aside: int
    lost: int
    missing: int
    records: int
    doctor: str
    still_records: bool


def settings_in(folder: Path) -> Settings:
    return load(folder / "gateway.toml")


async def pristine(folder: Path) -> Pristine:
    """Make a vehicle whose store has several database pages for each lane (queue of batches).

    Some pages are free again after a deletion, and the newest batches are only in the write-ahead log.
    """
    vehicle = Vehicle(folder, more_settings='[crew]\nlisten = "127.0.0.1:0"\n')
    provisioned(load(vehicle.config))
    settings = settings_in(folder)
    identity = Identity.load(settings.identity_dir)
    store = settings.store_path
    for attempt in range(2):
        buffer = await Buffer.open(store, gateway="gw_test", key=identity.store_key, settings=QUICK, clock=MovedClock())
        if attempt == 0:
            await buffer.append_sections([section(noisy_numerics(4000))])
            await buffer.acknowledge(Ack(epoch=buffer.epoch, lane=Lane.NUMERIC, through_sequence=1))
            await buffer.flush()
        for number in range(30):
            await buffer.append_sections([section(numerics(40, first=10.0 * number) + waveform(1, samples=3000))])
            await buffer.append_event(connected())
        if attempt == 1:
            hashes = {lane: {b.sequence: b.hash for b in await whole_lane(buffer, lane)} for lane in Lane}
            copied = {each.name: each.read_bytes() for each in store.parent.iterdir() if each.is_file()}
            epoch = buffer.epoch
        await buffer.close()
    await _drop_oldest(store, identity)
    pages = pages_of(store)
    stopped = folder.with_name(folder.name + "-stopped")
    shutil.copytree(folder, stopped)
    for name, content in copied.items():
        store.with_name(name).write_bytes(content)
    store.with_name(store.name + "-shm").unlink(missing_ok=True)
    log = store.with_name(store.name + "-wal")
    return Pristine(
        folder=folder,
        stopped=stopped,
        pages=pages,
        log_frames=(log.stat().st_size - 32) // FRAME_BYTES,
        epoch=epoch,
        hashes=hashes,
    )


async def _drop_oldest(store: Path, identity: Identity) -> None:
    """Delete the acknowledged batches by retention, so that the database has free pages."""
    settings = replace(QUICK, retention_s=0.0)
    clock = MovedClock()
    buffer = await Buffer.open(store, gateway="gw_test", key=identity.store_key, settings=settings, clock=clock)
    await clock.advance(3600.0)
    await buffer.tidy()
    await buffer.close()


def harm(pristine: Pristine, folder: Path, kind: str, seed: int) -> str:
    """Copy the vehicle's folder to `folder` and damage the store there at a place chosen by `kind` and `seed`.

    Return a description of the damage.
    """
    shutil.copytree(pristine.folder if kind == "log" else pristine.stopped, folder)
    generator = random.Random(f"{kind} {seed}")
    store = settings_in(folder).store_path
    if kind == "log":
        path, begin = store.with_name(store.name + "-wal"), 32 + generator.randrange(pristine.log_frames) * FRAME_BYTES
        offset = begin + generator.randrange(FRAME_BYTES)
    else:
        path, begin = store, (_page(pristine.pages, kind, generator) - 1) * PAGE_BYTES
        offset = begin + generator.choice((generator.randrange(8), generator.randrange(PAGE_BYTES - 64)))
    count = generator.choice((1, 8, 64))
    with path.open("r+b") as file:
        file.seek(offset)
        before = file.read(count)
        file.seek(offset)
        file.write(bytes(byte ^ generator.randrange(1, 256) for byte in before))
    return f"{kind}, seed {seed}: {count} bytes at {offset} of {path.name}"


def _page(pages: Pages, kind: str, generator: random.Random) -> int:
    choices = {
        "overflow": pages.overflow,
        "interior": pages.interior,
        "index": pages.index,
        "small table": pages.small_tables,
        "schema": [1],
        "free": pages.free,
    }
    return generator.choice(pages.leaves[Lane(kind)] if kind in {lane.value for lane in Lane} else choices[kind])


async def account_of(pristine: Pristine, folder: Path, what: str) -> Account:
    """Reopen the damaged store as a gateway does, read every lane as the uplink does, and count the missing batches.

    `what` describes the damage.
    """
    settings, clock = settings_in(folder), MovedClock()
    identity, store = Identity.load(settings.identity_dir), settings_in(folder).store_path
    buffer = await Buffer.open(
        store, gateway="gw_test", key=identity.store_key, settings=QUICK, clock=clock, serving=True
    )
    parts = [asyncio.create_task(buffer.keep()), asyncio.create_task(buffer.archive.run())]
    try:
        found = {lane: await whole_lane(buffer, lane) for lane in Lane}
        await eventually(lambda: buffer.epoch)
        await _append_as_a_device(buffer)
        if buffer.epoch != pristine.epoch:
            await clock.advance(RECOVER_EVERY_S)
            await eventually(lambda: all("recovered" in each.fields for each in buffer.archive.records()))
            found = _recovered(store, identity)
        events = [b for b in await whole_lane(buffer, Lane.EVENT) if b.kind is BatchKind.EVENT]
        records = [decode_event(batch.payload).name for batch in events].count("store.set_aside")
        still_records = buffer.failure is None
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await buffer.close()
    lost, missing = _count(pristine, found)
    return Account(
        harm=what,
        set_aside=len(set_aside_paths(store)),
        lost=lost,
        missing=missing,
        records=records,
        doctor=" ".join(each.sentence for each in store_findings(settings, identity, None) if each.grade != "well"),
        still_records=still_records,
    )


async def _append_as_a_device(buffer: Buffer) -> None:
    """Append one value. If the store has failed, append the value again once a spare store has replaced it."""
    try:
        await buffer.append_sections([section(numerics(1, first=777.0))], held_by_device=True)
    except StoreFull:
        await eventually(lambda: buffer.failure is None, what="a spare store")
        await buffer.append_sections([section(numerics(1, first=777.0))], held_by_device=True)


def _recovered(store: Path, identity: Identity) -> dict[Lane, list[Batch]]:
    found: dict[Lane, list[Batch]] = {lane: [] for lane in Lane}
    for path in unsent_paths(store):
        outbox = StoreReader(path, gateway="gw_test", key=identity.store_key)
        acked = outbox.acked()
        for lane, last in outbox.last().items():
            after = acked.get(lane, 0)
            batches, damaged = outbox.next_batches(
                lane, after=after, last=last, limit_batches=9999, limit_bytes=1 << 30
            )
            assert damaged is None
            found[lane] += batches
        outbox.close()
    return found


def _count(pristine: Pristine, found: dict[Lane, list[Batch]]) -> tuple[int, int]:
    lost = missing = 0
    for lane, hashes in pristine.hashes.items():
        held = {batch.sequence: batch.hash for batch in found[lane] if batch.kind is not BatchKind.GAP}
        gaps = [decode_gap(batch.payload) for batch in found[lane] if batch.kind is BatchKind.GAP]
        for sequence, expected in hashes.items():
            if lane is Lane.NUMERIC and sequence == 1:
                continue  # the cloud has it, and retention dropped it
            if held.get(sequence) == expected:
                continue
            covering = [gap for gap in gaps if gap.from_sequence <= sequence <= gap.through_sequence]
            if any(gap.why is GapReason.DAMAGED for gap in covering):
                lost += 1
            else:
                missing += 1
    return lost, missing
