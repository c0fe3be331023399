"""Missions in the vehicle: verified, stored in the log of their encounter, shown to the crew, and joined to reports."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

import gateway.epcr.missions as missions_module
from gateway.buffer import Buffer, StoreFull
from gateway.buffer.care_changes import StoredChanges
from gateway.epcr.drafts import INCOMPLETE, ChangesRefused, Drafts
from gateway.epcr.missions import JoinRefused
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.mission import joined_mission, joined_report
from protocols.epcr.seal import SealVerdict, check_seal
from protocols.uplink.missions import Mission, MissionStatus
from tests.builders.buffer_store import new_store, opened
from tests.builders.care_changes import ANNA, JAN, change
from tests.builders.missions import CALL, CLOUD_PUBLIC_KEY, DAY_US, ISSUED_US, STREET, changed, signed
from tests.builders.report_drafts import PUBLIC_KEY, drafts_of, missions_of
from tests.harness.moved_clock import MovedClock

REPORT = "enc_report"


class Desk:
    """The missions of one vehicle, with a store in a temporary directory."""

    def __init__(self, buffer: Buffer, clock: MovedClock, *, keys: tuple[bytes, ...] = (CLOUD_PUBLIC_KEY,)) -> None:
        self.drafts: Drafts = drafts_of(buffer, clock)
        self.synchronised = True
        self.missions = missions_of(self.drafts, clock, keys=keys, is_synchronised=lambda: self.synchronised)

    async def receive(self, mission: Mission) -> bool:
        return await self.missions.receive(signed(mission))

    def shown(self, encounter: str, key: str) -> list[str | None]:
        draft = self.drafts.find(encounter)
        assert draft is not None
        return [one.value for each in draft.record.fields if each.name.key == key for one in each.shown]

    async def open_report(self) -> None:
        await self.drafts.open(REPORT, author=ANNA, change_ids=(f"report-{number}" for number in range(8)))


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(wall_us=ISSUED_US)


@pytest.fixture
async def desk(tmp_path: Path, clock: MovedClock) -> AsyncIterator[Desk]:
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        yield Desk(buffer, clock)


async def test_mission_opens_a_draft_with_its_data_and_is_listed_in_the_status(desk: Desk):
    assert await desk.receive(CALL)
    assert desk.shown(CALL.encounter, "scene.street") == [STREET]
    assert desk.missions.held() == {CALL.encounter: 1}
    assert (desk.missions.received, desk.missions.open_count()) == (1, 1)


async def test_repeated_or_older_version_changes_nothing(desk: Desk):
    await desk.receive(changed(3, {"scene.street": "Ring 3"}))
    assert not await desk.receive(changed(3, {"scene.street": "Ring 3"}))
    assert not await desk.receive(changed(2))
    assert desk.shown(CALL.encounter, "scene.street") == ["Ring 3"]
    assert desk.missions.held() == {CALL.encounter: 3}


@pytest.mark.parametrize(
    "mission",
    [
        changed(1, gateway="gw_2"),
        changed(1, tenant="tnt_2"),
        changed(1, vehicle="veh_2"),
        changed(1, expires_at_us=ISSUED_US - 1),
    ],
    ids=["gateway", "tenant", "vehicle", "expired"],
)
async def test_mission_for_others_or_of_yesterday_is_refused(desk: Desk, mission: Mission):
    assert not await desk.receive(mission)
    assert (desk.missions.held(), desk.drafts.all()) == ({}, [])


async def test_clock_that_is_not_synchronised_refuses_no_call(desk: Desk, clock: MovedClock):
    desk.synchronised = False
    await clock.advance(2 * DAY_US / 1_000_000)
    assert await desk.receive(CALL)


async def test_gateway_without_a_key_refuses_missions(tmp_path: Path, clock: MovedClock):
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        desk = Desk(buffer, clock, keys=())
        assert not await desk.receive(CALL)
        assert desk.drafts.all() == []


async def test_missions_are_known_again_after_a_restart(tmp_path: Path, clock: MovedClock):
    path = new_store(tmp_path)
    async with opened(path, clock=clock) as buffer:
        await Desk(buffer, clock).receive(changed(2))
    async with opened(path, clock=clock) as buffer:
        desk = Desk(buffer, clock)
        await desk.drafts.catch_up()
        assert desk.missions.held() == {CALL.encounter: 2}
        assert not await desk.receive(changed(2))


async def test_cancelled_mission_keeps_its_draft_and_says_so(desk: Desk):
    await desk.receive(CALL)
    await desk.receive(changed(2, status=MissionStatus.CANCELLED))
    ((draft, mission),) = desk.missions.all()
    assert (draft.encounter, mission.status, mission.version) == (CALL.encounter, MissionStatus.CANCELLED, 2)
    assert desk.missions.open_count() == 0


async def test_mission_that_ended_before_the_vehicle_had_it_opens_no_draft_and_is_not_sent_again(desk: Desk):
    assert await desk.receive(changed(2, status=MissionStatus.CANCELLED))
    assert desk.drafts.all() == []
    assert desk.missions.held() == {CALL.encounter: 2}


async def test_mission_after_the_signature_leaves_the_sealed_log(desk: Desk):
    await desk.receive(CALL)
    await desk.drafts.sign_off(CALL.encounter, author=ANNA, device_time_us=None)
    assert await desk.receive(changed(2, {"scene.street": "Ring 3"}))
    draft = desk.drafts.find(CALL.encounter)
    assert draft is not None
    assert check_seal(draft.encounter, draft.changes, PUBLIC_KEY) is SealVerdict.INTACT
    assert desk.missions.held() == {CALL.encounter: 2}


@pytest.mark.parametrize("is_known", [True, False], ids=["a part of the log", "none of the log"])
async def test_mission_for_a_log_that_takes_no_changes_is_not_sent_again(desk: Desk, is_known: bool):
    if is_known:
        await desk.receive(CALL)

    async def refuse(*_: object, **__: object) -> None:
        raise ChangesRefused(INCOMPLETE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.drafts, "append_changes" if is_known else "open", refuse)
        assert await desk.receive(changed(2))
    assert desk.missions.held() == {CALL.encounter: 2}


async def test_mission_reaches_its_own_log_although_the_report_that_continues_it_takes_no_changes(desk: Desk):
    await desk.open_report()
    await desk.receive(CALL)
    await desk.missions.join(CALL.encounter, REPORT, author=ANNA)
    store = desk.drafts.append_changes

    async def store_mission(changes: Sequence[FieldChange]) -> StoredChanges:
        if changes[0].encounter == REPORT:
            raise ChangesRefused(INCOMPLETE)
        return await store(changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.drafts, "append_changes", store_mission)
        assert await desk.receive(changed(2, {"scene.street": "Ring 3"}, status=MissionStatus.CANCELLED))
    assert (desk.shown(CALL.encounter, "scene.street"), desk.shown(REPORT, "scene.street")) == (["Ring 3"], [STREET])
    assert [mission.status for _, mission in desk.missions.all()] == [MissionStatus.CANCELLED]


async def test_flood_of_missions_opens_a_limited_number_of_drafts(
    desk: Desk, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(missions_module, "OPENED_MAX", 2)
    desk.missions = missions_of(desk.drafts, clock)
    opened_drafts = [await desk.receive(changed(1, encounter=f"enc_{number}")) for number in range(3)]
    assert opened_drafts == [True, True, False]
    await clock.advance(3600.0)
    assert await desk.receive(changed(1, encounter="enc_2"))


async def test_report_is_joined_to_its_call_and_follows_further_versions(desk: Desk):
    await desk.open_report()
    await desk.drafts.append_changes([change("patient.age", "50", encounter=REPORT)])
    await desk.receive(CALL)
    ((report, offered),) = desk.missions.candidates().items()
    assert (report.encounter, [each.encounter for each in offered]) == (REPORT, [CALL.encounter])
    await desk.missions.join(CALL.encounter, REPORT, author=ANNA)
    await desk.missions.join(CALL.encounter, REPORT, author=ANNA)  # a repeated request changes nothing
    mission = desk.drafts.find(CALL.encounter)
    assert mission is not None
    assert (joined_report(mission.record), joined_mission(report.record)) == (REPORT, CALL.encounter)
    assert desk.shown(REPORT, "scene.street") == [STREET]
    assert desk.missions.candidates() == {}
    await desk.receive(changed(2, {"scene.street": "Ring 3"}))
    assert desk.shown(REPORT, "scene.street") == ["Ring 3"]
    assert [each.author for each in report.changes if each.key == "scene.street"] == ["cad", "cad"]


@pytest.mark.parametrize(
    "written",
    [
        change("patient.age", "50", encounter=CALL.encounter),
        change(Annotation.SHARE, "0" * 64, entry="share-1", encounter=CALL.encounter),
    ],
    ids=["entry", "share link"],
)
async def test_joined_call_in_which_the_crew_wrote_or_shared_keeps_its_own_hand_over(desk: Desk, written: FieldChange):
    await desk.open_report()
    await desk.receive(CALL)
    await desk.missions.join(CALL.encounter, REPORT, author=ANNA)
    assert desk.missions.continued() == {CALL.encounter: REPORT}
    await desk.drafts.append_changes([written])
    assert desk.missions.continued() == {}
    assert desk.missions.has_entries(CALL.encounter) == (written.key == "patient.age")


async def test_devices_of_a_call_measure_for_the_report_that_continues_it(desk: Desk):
    await desk.receive(CALL)
    await desk.open_report()
    mission, report = desk.drafts.find(CALL.encounter), desk.drafts.find(REPORT)
    assert desk.drafts.devices.holder is mission
    await desk.missions.join(CALL.encounter, REPORT, author=ANNA)
    assert desk.drafts.devices.holder is report


async def test_call_whose_report_is_signed_is_not_counted_as_open(desk: Desk):
    await desk.open_report()
    await desk.receive(CALL)
    await desk.missions.join(CALL.encounter, REPORT, author=ANNA)
    assert desk.missions.open_count() == 1
    await desk.drafts.sign_off(REPORT, author=ANNA, device_time_us=None)
    assert desk.missions.open_count() == 0


async def test_joined_call_in_which_the_crew_wrote_is_open_until_it_is_signed_too(desk: Desk):
    await desk.open_report()
    await desk.receive(CALL)
    await desk.missions.join(CALL.encounter, REPORT, author=ANNA)
    await desk.drafts.append_changes([change("patient.age", "50", encounter=CALL.encounter)])
    await desk.drafts.sign_off(REPORT, author=ANNA, device_time_us=None)
    assert desk.missions.open_count() == 1
    await desk.drafts.sign_off(CALL.encounter, author=ANNA, device_time_us=None)
    assert desk.missions.open_count() == 0


async def test_call_and_report_are_joined_only_once(desk: Desk):
    await desk.open_report()
    await desk.drafts.open("enc_other", author=ANNA, change_ids=(f"other-{number}" for number in range(8)))
    await desk.receive(CALL)
    await desk.receive(changed(1, encounter="enc_second"))
    await desk.missions.join(CALL.encounter, REPORT, author=ANNA)
    for encounter, report in ((CALL.encounter, "enc_other"), ("enc_second", REPORT), ("enc_second", CALL.encounter)):
        with pytest.raises(JoinRefused) as refused:
            await desk.missions.join(encounter, report, author=ANNA)
        assert refused.value.code == "joined"
    with pytest.raises(JoinRefused) as refused:
        await desk.missions.join("enc_unknown", REPORT, author=ANNA)
    assert refused.value.code == "unknown"


async def test_two_tablets_that_join_one_call_to_two_reports_join_one_of_them(desk: Desk):
    await desk.open_report()
    await desk.drafts.open("enc_other", author=JAN, change_ids=(f"other-{number}" for number in range(8)))
    await desk.receive(CALL)
    joining = [desk.missions.join(CALL.encounter, report, author=ANNA) for report in (REPORT, "enc_other")]
    first, second = await asyncio.gather(*joining, return_exceptions=True)
    assert first is None
    assert isinstance(second, JoinRefused)
    assert desk.shown("enc_other", Annotation.PART_OF) == []


@pytest.mark.parametrize("signed_meanwhile", [False, True])
async def test_join_that_was_interrupted_is_offered_until_it_is_complete(desk: Desk, signed_meanwhile: bool):
    await desk.open_report()
    await desk.receive(CALL)
    store = desk.drafts.append_changes

    async def store_part(changes: Sequence[FieldChange]) -> StoredChanges:
        if changes[0].key == Annotation.JOINED:
            raise StoreFull("full")
        return await store(changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.drafts, "append_changes", store_part)
        with pytest.raises(StoreFull):
            await desk.missions.join(CALL.encounter, REPORT, author=ANNA)
    await desk.drafts.open("enc_other", author=ANNA, change_ids=(f"other-{number}" for number in range(8)))
    if signed_meanwhile:
        await desk.drafts.sign_off(REPORT, author=ANNA, device_time_us=None)
    ((report, (offered,)),) = desk.missions.candidates().items()
    assert (report.encounter, offered.encounter) == (REPORT, CALL.encounter)
    await desk.missions.join(CALL.encounter, REPORT, author=JAN)
    assert desk.shown(CALL.encounter, Annotation.JOINED) == [REPORT]
    assert desk.missions.candidates() == {}


async def test_call_of_another_shift_is_not_offered_for_a_report(desk: Desk, clock: MovedClock):
    await desk.open_report()
    await clock.advance(3 * 3600.0)
    await desk.receive(CALL)
    assert desk.missions.candidates() == {}
