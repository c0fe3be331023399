"""Field changes are stored as one batch of the ePCR lane, durably, and once however often they are sent."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import Buffer, StoreFull
from gateway.buffer.care_changes import CHANGE_IDS_MAX, ChangeIdReused, StoredChanges
from gateway.buffer.statements import CARE_CHANGES
from protocols.uplink.envelope import BatchKind
from protocols.uplink.epcr import decode_changes
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import section, waveform
from tests.builders.buffer_store import QUICK, new_store, opened
from tests.builders.care_changes import NOW_US, change
from tests.builders.gateway_sessions import small_store


async def batches(buffer: Buffer) -> list[list[object]]:
    found = await buffer.next_batches(Lane.EPCR, after=0, limit_batches=100, limit_bytes=1 << 20)
    assert all(batch.kind is BatchKind.EPCR for batch in found)
    return [list(decode_changes(batch.payload, announced_count=batch.count)) for batch in found]


async def test_changes_of_one_request_are_one_batch_that_survives_a_restart(tmp_path: Path):
    path = new_store(tmp_path)
    sent = [change("medications.drug", "703", entry="m1"), change("medications.dose", "300", entry="m1")]
    async with opened(path) as buffer:
        assert await buffer.append_changes(sent) == StoredChanges((sent[0].id, sent[1].id), ())
        assert buffer.marks()[Lane.EPCR].last == 1
    async with opened(path) as buffer:
        assert await batches(buffer) == [sent]


async def test_repeated_change_is_stored_once_also_after_a_restart(tmp_path: Path):
    path, first = new_store(tmp_path), change(id="c1")
    async with opened(path) as buffer:
        await buffer.append_changes([first])
        later = replace(first, gateway_time_us=NOW_US + 5)
        assert await buffer.append_changes([later, later]) == StoredChanges((), ("c1",))
    async with opened(path) as buffer:
        assert await buffer.append_changes([first, change(id="c2")]) == StoredChanges(("c2",), ("c1",))
        assert [[each.id for each in batch] for batch in await batches(buffer)] == [["c1"], ["c2"]]


async def test_change_that_occurs_twice_in_one_request_is_stored_once(tmp_path: Path):
    async with opened(new_store(tmp_path)) as buffer:
        twice = change(id="c1")
        assert await buffer.append_changes([twice, twice]) == StoredChanges(("c1",), ())
        assert await batches(buffer) == [[twice]]


async def test_id_of_another_change_is_refused_and_nothing_of_the_request_is_stored(tmp_path: Path):
    async with opened(new_store(tmp_path)) as buffer:
        await buffer.append_changes([change(value="97", id="c1")])
        with pytest.raises(ChangeIdReused) as refused:
            await buffer.append_changes([change(id="c2"), change(value="98", id="c1")])
        assert refused.value.change_id == "c1"
        assert len(await batches(buffer)) == 1
        assert (await buffer.append_changes([change(id="c2")])).added == ("c2",)


async def test_changes_are_stored_in_the_reserve_of_a_full_disk(tmp_path: Path):
    async with opened(new_store(tmp_path), settings=small_store(1 << 20)) as buffer:

        async def fill() -> None:
            for _ in range(1000):
                await buffer.append_sections([section(waveform(4, samples=20_000))], held_by_device=True)

        with pytest.raises(StoreFull):
            await fill()
        stored = await buffer.append_changes([change(id="c1")])
        assert stored.added == ("c1",)
        assert await buffer.append_changes([change(id="c1")]) == StoredChanges((), ("c1",))


async def test_table_of_ids_reveals_no_value(tmp_path: Path):
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.append_changes([change("patient.last_name", "Canary", id="c1")])
    assert all(b"Canary" not in file.read_bytes() for file in path.parent.iterdir() if file.is_file())


async def test_number_of_stored_ids_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.buffer.care_changes.CHANGE_IDS_MAX", 3)
    assert CHANGE_IDS_MAX > 3
    async with opened(new_store(tmp_path), settings=QUICK) as buffer:
        for number in range(6):
            await buffer.append_changes([change(id=f"c{number}")])
        ids = await buffer._store.task(lambda store: store.connection.execute("SELECT count(*) FROM care_changes"))
        assert ids.fetchone() == (3,)
    assert "trim_changes" in CARE_CHANGES
