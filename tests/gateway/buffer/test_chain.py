"""The batches of a lane (one of the store's queues) form one hash chain and are encrypted on the disk; a changed row
cannot be decrypted.
"""

import sqlite3
from pathlib import Path

from protocols.provenance.hash_chain import Intact, Link, chain_order, check_chain, genesis
from protocols.uplink.envelope import Batch, BatchKind
from protocols.uplink.gaps import decode_gap
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import OXIMETER, connected, numerics, section, waveform
from tests.builders.buffer_store import GATEWAY, new_store, opened, whole_lane


def verdict(batches: list[Batch], epoch: str, lane: Lane) -> object:
    """Check the hash chain of a lane from its batches alone, and return the result."""
    links = []
    for batch in batches:
        if batch.kind is BatchKind.GAP:
            gap = decode_gap(batch.payload)
            links.append(
                Link(
                    first=gap.from_sequence,
                    last=gap.through_sequence,
                    previous=batch.previous_hash,
                    after=gap.chain_after,
                    stands_in=True,
                )
            )
        else:
            links.append(
                Link(first=batch.sequence, last=batch.sequence, previous=batch.previous_hash, after=batch.hash)
            )
    return check_chain(sorted(links, key=chain_order), genesis(GATEWAY, epoch, lane.value))


async def test_hash_chain_of_each_lane_is_intact_across_restarts(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    for run in range(3):
        async with opened(path) as buffer:
            for n in range(5):
                await buffer.append_sections([section(numerics(2, first=run * 100.0 + n) + waveform(1))])
                await buffer.append_event(connected())
    async with opened(path) as buffer:
        for lane in (Lane.EVENT, Lane.NUMERIC, Lane.WAVEFORM):
            batches = await whole_lane(buffer, lane)
            assert [batch.sequence for batch in batches] == list(range(1, 16))
            found = verdict(batches, buffer.epoch, lane)
            assert isinstance(found, Intact)
            assert (found.through, found.stood_in) == (15, 0)


async def test_store_files_contain_no_readable_device_or_event_names(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.append_sections([section(numerics(200))])
        await buffer.append_event(connected())
        log = path.with_name(path.name + "-wal").read_bytes()
    on_disk = path.read_bytes() + log
    assert OXIMETER.system_id.encode() not in on_disk
    assert OXIMETER.model.encode() not in on_disk
    assert b"device.connected" not in on_disk


async def test_equal_observations_are_encrypted_with_different_nonces_and_ciphertexts(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    for _ in range(3):
        async with opened(path) as buffer:
            for _ in range(3):
                await buffer.append_sections([section(numerics(2))])
    rows = sqlite3.connect(path).execute("SELECT nonce, sealed FROM batches").fetchall()
    assert len({nonce for nonce, _ in rows}) == len({sealed for _, sealed in rows}) == 9
