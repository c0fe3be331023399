"""A job enriches many profiles as the route of a single profile does, once each, whatever happens to its workers."""

import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from cloud.clinical.profiles.errors import ProfileChanged
from cloud.clinical.profiles.schemas import ProfileEnrichment
from cloud.clinical.profiles.service import read_document
from cloud.foundation.db import Database
from cloud.foundation.moments import write_moment
from cloud.foundation.objects import ResultSweeper
from cloud.foundation.objects.sweeping import UPLOAD_US
from cloud.foundation.viewer import Actor, SecrecyLevel
from cloud.work.enrichment import work
from cloud.work.enrichment.schemas import PROFILES_MAX, EnrichmentPayload, EnrichmentState
from cloud.work.enrichment.work import EnrichmentWork
from cloud.work.jobs import Finish, JobFailure
from protocols.sanctions.entry import ListedWallet
from tests.builders.enrichment import EnrichmentDesk, enrichment_desk, person
from tests.builders.sanctions_lists import listed, ofac_xml

ADDRESS = "0xabcdef0000000000000000000000000000000001"
UNKNOWN = {"code": "profile_unknown", "message": "Profile not found."}


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> EnrichmentDesk:
    return await enrichment_desk(database, tmp_path / "objects")


@pytest.fixture
async def listed_desk(desk: EnrichmentDesk) -> EnrichmentDesk:
    """Return the desk of a tenant with an imported list."""
    wallet = listed("SYN-2", "Walleto Testovich", wallets=[ListedWallet("ETH", ADDRESS)])
    await desk.office.list_entries(listed("SYN-1", "Examplo Testovich"), wallet)
    return desk


@pytest.mark.contract("C-152", "A-053")
async def test_result_has_what_the_profiles_show_and_counts_at_the_end(listed_desk: EnrichmentDesk) -> None:
    desk = listed_desk
    wallet = {"reference": "CRM-3", "kind": "wallet", "asset": "ETH", "address": ADDRESS}
    ids = await desk.store(person(1, "Exemplo Testovich"), person(2, "Another Subjectov"), wallet)
    file = await desk.run(desk.job([ids[2], "p1", ids[0], ids[2], ids[1]]))
    found = orjson.loads(file)
    assert [one["profile_id"] for one in found["results"]] == [ids[2], "p1", ids[0], ids[1]]
    for one in found["results"]:
        if one["profile_id"] == "p1":
            assert (one["enrichment"], one["error"]) == (None, UNKNOWN)
            continue
        _, stored = await desk.profiles.read(desk.north.viewer, one["profile_id"])
        assert stored is not None
        assert one["enrichment"] == read_document(stored)
        assert ProfileEnrichment.model_validate(one["enrichment"]).connectors[0].sources[0]["name"] == "ofac-sdn"
    risk = {"high": 2, "medium": 0, "low": 1, "unknown": 0}
    assert found["counts"] == {"profiles": 4, "repeated_ids": 1, "enriched": 3, "failed": 1, "risk": risk}
    lines = file.splitlines()
    assert len(lines) == 7, "each profile has a line"
    assert await desk.enrichments() == 3


@pytest.mark.contract("S-138")
async def test_file_is_the_same_for_any_division_into_steps_and_any_killed_workers(
    listed_desk: EnrichmentDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, chance = listed_desk, random.Random(15)
    ids = await desk.store(*(person(number, *["Examplo Testovich"] * (number % 3 + 1)) for number in range(9)))
    begun = await desk.step(desk.job([*ids, "p1", "p2"]))
    assert not isinstance(begun, Finish)
    whole = await desk.run(begun)
    for turn in range(1, 9):
        await desk.forget()
        monkeypatch.setattr(work, "STEP_PROFILES", chance.randint(1, 11))
        monkeypatch.setattr(work, "STEP_NAMES", chance.randint(1, 20))
        killed = frozenset(number for number in range(20) if chance.random() < 0.4)
        assert await desk.run(begun, killed_in=killed) == whole, f"turn {turn}"
        assert await desk.enrichments() == len(ids)
        assert len(await desk.trail()) == (turn + 1) * len(ids)


@pytest.mark.contract("S-060", "A-006")
async def test_profile_that_the_caller_may_not_see_is_as_unknown_as_an_absent_one(listed_desk: EnrichmentDesk) -> None:
    desk = listed_desk
    (secret,) = await desk.store(person(1, secrecy_level="secret"))
    (south,) = await desk.store(person(2), home=desk.south)
    (own,) = await desk.store(person(3))
    found = await desk.document(desk.job([secret, south, "p1"]))
    assert {orjson.dumps({**one, "profile_id": ""}) for one in found["results"]} == {
        orjson.dumps({"profile_id": "", "enrichment": None, "error": UNKNOWN})
    }
    assert await desk.enrichments() == 0
    await desk.forget()
    other = Actor("tnt_north", "org_other", subject="usr_2")
    assert (await desk.document(desk.job([own], other)))["counts"]["failed"] == 1
    await desk.forget()
    cleared = Actor("tnt_north", "org_north", SecrecyLevel.SECRET, subject="usr_3")
    assert (await desk.document(desk.job([secret], cleared)))["counts"]["enriched"] == 1


async def test_connector_that_is_not_for_the_kind_of_a_profile_is_its_error(listed_desk: EnrichmentDesk) -> None:
    desk = listed_desk
    wallet = {"reference": "CRM-2", "kind": "wallet", "asset": "ETH", "address": ADDRESS}
    ids = await desk.store(person(1), wallet)
    first, second = (await desk.document(desk.job(ids, connectors=["wallet_risk"])))["results"]
    assert (first["enrichment"], first["error"]["code"]) == (None, "connector_not_for_kind")
    assert [one["connector"] for one in second["enrichment"]["connectors"]] == ["wallet_risk"]


async def test_entry_names_the_edition_that_was_searched_and_its_time_is_not_before_the_import(
    listed_desk: EnrichmentDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = listed_desk
    monkeypatch.setattr(work, "STEP_PROFILES", 1)
    ids = await desk.store(person(1), person(2))
    job: Any = desk.job(ids)
    for _ in range(2):
        job = await desk.step(job)
    desk.clock.advance(us=60_000_000)
    edition = await desk.office.take(ofac_xml([listed("SYN-9", "Examplo Testovich")]), accept_smaller=True)
    imported_us = desk.clock.now_us()
    desk.clock.advance(us=60_000_000)
    before, after = [one["enrichment"] for one in (await desk.document(job))["results"]]
    assert before["connectors"][0]["sources"][0]["sha256"] != edition.list.sha256
    assert after["connectors"][0]["sources"][0]["sha256"] == edition.list.sha256
    assert before["enriched_at"] < after["enriched_at"] == write_moment(imported_us)


async def test_profile_that_is_removed_while_its_step_runs_makes_the_step_repeat(listed_desk: EnrichmentDesk) -> None:
    desk = listed_desk
    ids = await desk.store(person(1), person(2))
    begun = await desk.step(desk.job(ids))
    assert not isinstance(begun, Finish)
    outcome = await EnrichmentWork(desk.process).step(begun)
    assert outcome.effect is not None
    await desk.profiles.remove(desk.north.operator, ids[0])
    async with desk.database.transaction() as tx:
        with pytest.raises(ProfileChanged):
            await outcome.effect(tx)
    found = await desk.document(begun)
    assert [one["error"] for one in found["results"]] == [UNKNOWN, None]
    assert [entry.object for entry in await desk.trail()] == [ids[1]]


async def test_cancelled_job_leaves_no_object_and_keeps_the_enrichments_that_it_made(
    listed_desk: EnrichmentDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = listed_desk
    monkeypatch.setattr(work, "STEP_PROFILES", 1)
    begun = await desk.step(desk.job(await desk.store(person(1), person(2))))
    assert not isinstance(begun, Finish)
    after_one = await desk.step(begun)
    assert not isinstance(after_one, Finish)
    await EnrichmentWork(desk.process).step(after_one)  # cancelled before its state was stored
    for _ in range(2):
        await EnrichmentWork(desk.process).discard(after_one)
        assert await desk.stored("uploads") == []
    assert await desk.enrichments() == 1


async def test_cancelled_job_whose_file_is_complete_leaves_no_file(listed_desk: EnrichmentDesk) -> None:
    desk = listed_desk
    job: Any = desk.job(await desk.store(person(1)))
    for _ in range(3):
        job = await desk.step(job)
    assert len(await desk.stored("results")) == 1
    await EnrichmentWork(desk.process).discard(job)
    assert await desk.stored("uploads") == await desk.stored("results") == []


@pytest.mark.parametrize("steps", [2, 3], ids=["before its parts are joined", "before its end"])
async def test_job_that_did_not_run_for_days_enriches_again(listed_desk: EnrichmentDesk, steps: int) -> None:
    desk = listed_desk
    (id,) = await desk.store(person(1))
    job: Any = desk.job([id])
    for _ in range(steps):
        job = await desk.step(job)
    desk.clock.advance(us=UPLOAD_US + 1_000)
    await ResultSweeper(desk.database, desk.objects, desk.clock).remove_orphans()
    resumed_us = desk.clock.now_us()
    job = await desk.step(job)
    assert job.state == EnrichmentState(result=job.state.result)
    found = await desk.document(job)
    assert found["counts"]["enriched"] == 1
    assert [one["enrichment"]["enriched_at"] for one in found["results"]] == [write_moment(resumed_us)]
    assert [entry.object for entry in await desk.trail()] == [id, id]


async def test_job_whose_parts_are_lost_repeatedly_fails(listed_desk: EnrichmentDesk) -> None:
    desk = listed_desk
    job: Any = desk.job(await desk.store(person(1)))

    async def lose_each_part() -> None:
        stepped = job
        while True:
            stepped = await desk.step(stepped)
            for name in await desk.stored("uploads"):
                await desk.objects.remove(name)

    with pytest.raises(JobFailure) as failure:
        await lose_each_part()
    assert (failure.value.error.code, failure.value.error.retryable) == ("result_parts_lost", True)


@pytest.mark.contract("A-073")
@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({}, "profile_ids"),
        ({"profile_ids": []}, "at least 1"),
        ({"profile_ids": ["p"] * (PROFILES_MAX + 1)}, "at most 10000"),
        ({"profile_ids": ["p/1"]}, "pattern"),
        ({"profile_ids": ["p1"], "connectors": ["horoscope"]}, "connectors"),
        ({"profile_ids": ["p1"], "connectors": []}, "connectors"),
        ({"profile_ids": ["p1"], "more": 1}, "more"),
    ],
)
def test_unusable_payload_is_refused(payload: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        EnrichmentPayload.model_validate(payload)
