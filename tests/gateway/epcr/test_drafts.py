"""Report drafts of a vehicle: opened, followed, sealed, and read again after a restart."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

import gateway.epcr.drafts as drafts_module
from gateway.buffer import Buffer
from gateway.epcr.draft_log import Draft
from gateway.epcr.drafts import ChangesRefused, ConflictsOpen, Drafts
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.seal import SealVerdict, check_seal
from tests.builders.buffer_store import new_store, opened
from tests.builders.care_changes import ANNA, ENCOUNTER, JAN, change
from tests.builders.report_drafts import PUBLIC_KEY, VEHICLE, drafts_of
from tests.harness.moved_clock import MovedClock

_NUMBERS = count(1)


def ids() -> list[str]:
    return [f"open-{next(_NUMBERS)}" for _ in range(8)]


@pytest.fixture
async def buffer(tmp_path: Path) -> AsyncIterator[Buffer]:
    async with opened(new_store(tmp_path)) as opened_buffer:
        yield opened_buffer


@pytest.fixture
def drafts(buffer: Buffer) -> Drafts:
    return drafts_of(buffer, MovedClock())


async def open_draft(drafts: Drafts, encounter: str = ENCOUNTER) -> Draft:
    return await drafts.open(encounter, author=ANNA, change_ids=ids())


def shown(draft: Draft, key: str) -> list[str | None]:
    return [each.value for found in draft.record.fields if found.name.key == key for each in found.shown]


def verdict(draft: Draft) -> SealVerdict:
    return check_seal(draft.encounter, draft.changes, PUBLIC_KEY)


async def test_draft_opens_without_dispatch_data_and_is_opened_once(drafts: Drafts):
    draft = await open_draft(drafts)
    assert (shown(draft, "call.vehicle"), shown(draft, "call.report_number")) == ([VEHICLE], [ENCOUNTER])
    assert await open_draft(drafts) is draft
    assert draft.sequence == 3


async def test_draft_is_the_same_after_a_restart(tmp_path: Path):
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        drafts = drafts_of(buffer, MovedClock())
        await open_draft(drafts)
        await drafts.append_changes([change("patient.age", "50")])
        before = drafts.find(ENCOUNTER)
        assert before is not None
    async with opened(path) as buffer:
        drafts = drafts_of(buffer, MovedClock())
        await drafts.catch_up()
        after = drafts.find(ENCOUNTER)
        assert after is not None
        assert (after.changes, after.digest) == (before.changes, before.digest)


async def test_draft_follows_changes_that_another_client_stores(buffer: Buffer, drafts: Drafts):
    draft = await open_draft(drafts)
    seen = asyncio.Event()
    draft.watchers.add(seen)
    following = asyncio.create_task(drafts.follow())
    await buffer.append_changes([change("patient.age", "50")])
    await seen.wait()
    assert shown(draft, "patient.age") == ["50"]
    following.cancel()


async def test_list_has_the_draft_that_changed_last_first_and_drops_signed_ones_first(
    drafts: Drafts, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drafts_module, "DRAFTS_MAX", 2)
    for encounter in ("enc_1", "enc_2"):
        await open_draft(drafts, encounter)
    assert [each.encounter for each in drafts.all()] == ["enc_2", "enc_1"]
    await drafts.sign_off("enc_2", author=ANNA, device_time_us=None)
    await open_draft(drafts, "enc_3")
    assert [each.encounter for each in drafts.all()] == ["enc_3", "enc_1"]


async def test_dropped_draft_that_changes_again_has_its_whole_log(drafts: Drafts, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drafts_module, "DRAFTS_MAX", 2)
    for encounter in ("enc_1", "enc_2", "enc_3"):
        await open_draft(drafts, encounter)
    assert drafts.find("enc_1") is None
    await drafts.append_changes([change("patient.age", "50", encounter="enc_1")])
    draft = await drafts.sign_off("enc_1", author=ANNA, device_time_us=None)
    assert draft is not None
    assert (shown(draft, "call.vehicle"), verdict(draft)) == ([VEHICLE], SealVerdict.INTACT)


async def test_dropped_signed_draft_still_takes_only_addenda(drafts: Drafts, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drafts_module, "DRAFTS_MAX", 1)
    await open_draft(drafts, "enc_1")
    await drafts.sign_off("enc_1", author=ANNA, device_time_us=None)
    await open_draft(drafts, "enc_2")
    with pytest.raises(ChangesRefused):
        await drafts.append_changes([change("patient.age", "50", encounter="enc_1")])


async def test_signed_draft_is_sealed_over_every_change(drafts: Drafts):
    await open_draft(drafts)
    await drafts.append_changes([change("patient.age", "50")])
    draft = await drafts.sign_off(ENCOUNTER, author=ANNA, device_time_us=1, name="Anna  Żak")
    assert draft is not None
    assert (draft.sealed, verdict(draft)) == (True, SealVerdict.INTACT)
    assert shown(draft, "signatures.status") == ["4515031"]
    assert shown(draft, "signatures.last_name") == ["Anna Żak"]
    sequence = draft.sequence
    assert await drafts.sign_off(ENCOUNTER, author=JAN, device_time_us=2) is draft
    assert draft.sequence == sequence


async def test_sign_off_of_an_unknown_encounter_is_none(drafts: Drafts):
    assert await drafts.sign_off("enc_none", author=ANNA, device_time_us=None) is None


async def test_sign_off_demands_a_decision_about_each_conflict(drafts: Drafts):
    await open_draft(drafts)
    await drafts.append_changes([change("patient.age", "50", id="c1")])
    await drafts.append_changes([change("patient.age", "51", id="c2", author=JAN)])
    with pytest.raises(ConflictsOpen) as refused:
        await drafts.sign_off(ENCOUNTER, author=ANNA, device_time_us=None)
    assert [each.name.key for each in refused.value.conflicts] == ["patient.age"]
    await drafts.append_changes([change("record.both_stand", "c1 c2", entry="d1")])
    draft = await drafts.sign_off(ENCOUNTER, author=ANNA, device_time_us=None)
    assert draft is not None
    assert draft.sealed


@pytest.fixture
async def signed(drafts: Drafts) -> Draft:
    await open_draft(drafts)
    await drafts.append_changes([change("patient.age", "50", id="early")])
    draft = await drafts.sign_off(ENCOUNTER, author=ANNA, device_time_us=None)
    assert draft is not None
    return draft


def addendum() -> list[FieldChange]:
    return [
        change("record.addendum", "Result of the laboratory", entry="a1", id="a1"),
        change("vitals.glucose", "90", id="a2"),
    ]


async def test_signed_draft_refuses_changes_that_are_no_addendum(drafts: Drafts, signed: Draft):
    with pytest.raises(ChangesRefused) as refused:
        await drafts.append_changes([change("patient.age", "51")])
    assert refused.value.fault.code == "sealed"
    assert shown(signed, "patient.age") == ["50"]


async def test_addendum_is_sealed_with_its_reason_and_is_stored_once(drafts: Drafts, signed: Draft):
    stored = await drafts.append_changes(addendum())
    assert stored.added == ("a1", "a2")
    assert shown(signed, "vitals.glucose") == ["90"]
    assert verdict(signed) is SealVerdict.INTACT
    again = await drafts.append_changes(addendum())
    assert (again.added, again.repeated) == ((), ("a1", "a2"))
    assert [each.key for each in signed.changes].count(Annotation.SEAL) == 2


async def test_addendum_that_has_a_change_twice_is_sealed_as_it_is_stored(drafts: Drafts, signed: Draft):
    stored = await drafts.append_changes([*addendum(), addendum()[1]])
    assert stored.added == ("a1", "a2")
    assert verdict(signed) is SealVerdict.INTACT


async def test_change_from_before_the_seal_that_is_sent_again_is_acknowledged(drafts: Drafts, signed: Draft):
    stored = await drafts.append_changes([change("patient.age", "50", id="early")])
    assert stored.repeated == ("early",)


async def test_draft_has_a_limit_of_changes(drafts: Drafts, monkeypatch: pytest.MonkeyPatch):
    await open_draft(drafts)
    monkeypatch.setattr(drafts_module, "DRAFT_CHANGES_MAX", 4)
    await drafts.append_changes([change("patient.age", "50", id="c1")])
    with pytest.raises(ChangesRefused) as refused:
        await drafts.append_changes([change("patient.age", "51")])
    assert refused.value.fault.code == "draft_full"
    stored = await drafts.append_changes([change("patient.age", "50", id="c1")])
    assert stored.repeated == ("c1",)


async def test_full_draft_is_signed_and_sealed_and_takes_nothing_more(drafts: Drafts, monkeypatch: pytest.MonkeyPatch):
    await open_draft(drafts)
    monkeypatch.setattr(drafts_module, "DRAFT_CHANGES_MAX", 4)
    await drafts.append_changes([change("patient.age", "50")])
    draft = await drafts.sign_off(ENCOUNTER, author=ANNA, device_time_us=None)
    assert draft is not None
    assert (draft.sealed, verdict(draft)) == (True, SealVerdict.INTACT)
    with pytest.raises(ChangesRefused):
        await drafts.append_changes(addendum())
