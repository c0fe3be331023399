"""A report is whole until it is signed; a part of a report is neither changed nor signed, however it became one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import Buffer
from gateway.buffer.store import Store
from gateway.epcr.draft_log import Draft
from gateway.epcr.drafts import INCOMPLETE, ChangesRefused, Drafts
from protocols.epcr.change import FieldChange
from protocols.epcr.seal import SealVerdict, check_seal
from protocols.uplink.epcr import decode_changes
from protocols.uplink.lanes import Lane
from tests.builders.buffer_store import QUICK, acked, new_store, opened, whole_lane
from tests.builders.care_changes import ANNA, ENCOUNTER, change
from tests.builders.damaged_stores import damage_leaf_page, filled_store
from tests.builders.report_drafts import PUBLIC_KEY, drafts_of
from tests.gateway.buffer.test_spare_store import drain, serving
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return new_store(tmp_path)


@asynccontextmanager
async def reports(path: Path, clock: MovedClock) -> AsyncIterator[tuple[Buffer, Drafts]]:
    """Open the store as a start of the gateway does."""
    async with opened(path, clock=clock) as buffer:
        drafts = drafts_of(buffer, clock)
        await drafts.catch_up()
        yield buffer, drafts


async def open_report(drafts: Drafts, encounter: str = ENCOUNTER) -> Draft:
    return await drafts.open(encounter, author=ANNA, change_ids=[f"{encounter}-open-{n}" for n in range(8)])


async def pass_time(buffer: Buffer, clock: MovedClock, seconds: float) -> None:
    """Let the cloud acknowledge everything, and retention run `seconds` later."""
    await buffer.acknowledge(acked(buffer, Lane.EPCR, buffer.marks()[Lane.EPCR].last))
    await clock.advance(seconds)
    await buffer.tidy()


async def sign(drafts: Drafts) -> Draft | None:
    return await drafts.sign_off(ENCOUNTER, author=ANNA, device_time_us=None)


async def refusal(drafts: Drafts, *changes: FieldChange) -> str:
    with pytest.raises(ChangesRefused) as refused:
        await drafts.append_changes(changes or [change("patient.age", "51")])
    return refused.value.fault.code


async def test_open_report_outlives_the_retention_of_acknowledged_batches_and_is_signed_whole(
    path: Path, clock: MovedClock
):
    async with reports(path, clock) as (buffer, drafts):
        await open_report(drafts)
        await drafts.append_changes([change("patient.age", "50")])
        await pass_time(buffer, clock, 80 * HOUR_S)
        await drafts.append_changes([change("patient.sex", "9919001")])
        await pass_time(buffer, clock, 80 * HOUR_S)
    async with reports(path, clock) as (buffer, drafts):
        draft = await sign(drafts)
        assert draft is not None
        assert check_seal(ENCOUNTER, draft.changes, PUBLIC_KEY) is SealVerdict.INTACT
        assert {"call.vehicle", "patient.age", "patient.sex"} <= {each.key for each in draft.changes}
        await pass_time(buffer, clock, 80 * HOUR_S)
        assert buffer.marks()[Lane.EPCR].first == 0, "a signed report is dropped like everything else"


async def test_report_that_is_not_signed_within_a_month_is_closed(path: Path, clock: MovedClock):
    async with reports(path, clock) as (buffer, drafts):
        await open_report(drafts)
        await pass_time(buffer, clock, 29 * DAY_S)
        await drafts.append_changes([change("patient.age", "50")])
        await pass_time(buffer, clock, 2 * DAY_S)
    async with reports(path, clock) as (buffer, drafts):
        draft = drafts.find(ENCOUNTER)
        assert draft is not None
        assert (draft.is_incomplete, draft.sealed) == (True, False)
        assert await refusal(drafts) == INCOMPLETE.code
        with pytest.raises(ChangesRefused) as refused:
            await sign(drafts)
        assert refused.value.fault is INCOMPLETE
        assert buffer.marks()[Lane.EPCR].last == 2, "nothing was stored"


async def test_signed_report_that_has_lost_its_beginning_takes_no_change(path: Path, clock: MovedClock):
    async with reports(path, clock) as (buffer, drafts):
        await open_report(drafts)
        await clock.advance(HOUR_S)
        await sign(drafts)
        await pass_time(buffer, clock, 71.5 * HOUR_S)
    async with reports(path, clock) as (buffer, drafts):
        draft = drafts.find(ENCOUNTER)
        assert draft is not None
        assert (draft.is_incomplete, draft.sealed) == (True, True)
        reason = change("record.addendum", "Laboratory", entry="a1")
        assert await refusal(drafts) == await refusal(drafts, reason, change("vitals.glucose", "90")) == INCOMPLETE.code


async def test_signed_report_that_has_left_the_store_is_not_opened_again(path: Path, clock: MovedClock):
    async with reports(path, clock) as (buffer, drafts):
        await open_report(drafts)
        await sign(drafts)
        await pass_time(buffer, clock, 80 * HOUR_S)
    async with reports(path, clock) as (_, drafts):
        assert drafts.all() == []
        assert await refusal(drafts) == INCOMPLETE.code
        with pytest.raises(ChangesRefused):
            await open_report(drafts)
        assert (await open_report(drafts, "enc_other")).sequence == 3


async def test_ids_of_encounters_are_not_readable_in_the_list_of_logs(path: Path, clock: MovedClock):
    async with reports(path, clock) as (buffer, _):
        await buffer.append_changes([change("patient.age", "50", encounter="enc_canary")])
    assert all(b"enc_canary" not in file.read_bytes() for file in path.parent.iterdir() if file.is_file())


async def test_list_of_logs_is_limited_and_loses_signed_ones_first(
    path: Path, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateway.buffer.care_logs.CARE_LOGS_MAX", 2)
    async with reports(path, clock) as (buffer, drafts):
        for encounter in ("enc_1", "enc_2"):
            await open_report(drafts, encounter)
        await drafts.sign_off("enc_2", author=ANNA, device_time_us=None)
        await open_report(drafts, "enc_3")
        assert sorted(await buffer.care_logs(["enc_1", "enc_2", "enc_3"])) == ["enc_1", "enc_3"]


async def forget_logs(path: Path) -> None:
    """Make the store what an earlier release wrote, which had no list of logs."""
    async with opened(path) as buffer:

        def empty(store: Store) -> None:
            with store.transaction():
                store.connection.execute("DELETE FROM care_logs")

        await buffer._store.task(empty)


async def test_reports_of_an_earlier_release_are_held_and_signed_after_the_upgrade(path: Path, clock: MovedClock):
    async with reports(path, clock) as (_, drafts):
        await open_report(drafts)
        await drafts.append_changes([change("patient.age", "50")])
    await forget_logs(path)
    async with reports(path, clock) as (buffer, drafts):
        await pass_time(buffer, clock, 80 * HOUR_S)
    async with reports(path, clock) as (_, drafts):
        draft = await sign(drafts)
        assert draft is not None
        assert (draft.sequence, draft.is_incomplete) == (9, False)


async def test_report_that_an_earlier_release_has_trimmed_is_closed_after_the_upgrade(path: Path, clock: MovedClock):
    async with reports(path, clock) as (buffer, drafts):
        await open_report(drafts)
        await pass_time(buffer, clock, 31 * DAY_S)
        await drafts.append_changes([change("patient.age", "50")])
    await forget_logs(path)
    async with reports(path, clock) as (_, drafts):
        assert await refusal(drafts) == INCOMPLETE.code


@pytest.mark.finding("reliability-A1")
async def test_spare_store_has_the_whole_log_of_each_report_so_that_a_restart_and_the_cloud_find_it(tmp_path: Path):
    path, clock = await filled_store(tmp_path), MovedClock()
    async with serving(path, clock=clock) as buffer:
        drafts = drafts_of(buffer, clock)
        await open_report(drafts)
        following = asyncio.create_task(drafts.follow())
        epoch = buffer.epoch
        damage_leaf_page(path, Lane.WAVEFORM, bytes(8))
        await drain(buffer, Lane.WAVEFORM)
        await eventually(lambda: buffer.epoch not in ("", epoch))
        await drafts.append_changes([change("patient.age", "50", id="after")])
        following.cancel()
        batches = await whole_lane(buffer, Lane.EPCR)
        stored = [each for one in batches for each in decode_changes(one.payload, announced_count=one.count)]
        assert [each.key for each in stored] == [
            *("call.vehicle", "call.report_number"),
            *("record.devices", "patient.age"),
        ]
    async with serving(path, clock=clock) as buffer:
        draft = await sign(drafts_of(buffer, clock))
        assert draft is not None
        assert check_seal(ENCOUNTER, draft.changes, PUBLIC_KEY) is SealVerdict.INTACT


async def test_store_over_its_budget_keeps_the_batches_of_an_open_report(path: Path, clock: MovedClock):
    async with opened(path, clock=clock, settings=replace(QUICK, disk_budget_bytes=1)) as buffer:
        drafts = drafts_of(buffer, clock)
        await open_report(drafts)
        await buffer.acknowledge(acked(buffer, Lane.EPCR, 1))
        await buffer.tidy()
        assert buffer.marks()[Lane.EPCR].first == 1
