"""A job reads data, and gives its result, only with the scopes that its kind needs for its payload."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from pydantic import BaseModel

from cloud.access.apps import Apps
from cloud.work.graph import kinds
from cloud.work.graph.schemas import Analysis
from cloud.work.jobs import by_field
from cloud.work.jobs.running import worker_of
from tests.builders.job_desk import JobDesk
from tests.builders.job_rows import LEASE_US

READS = "argus:epcr:read argus:devices:read"


class Changed(BaseModel):
    """The payload of a later release, which needs another field."""

    depth: int


def apps(desk: JobDesk) -> Apps:
    return Apps(desk.database, desk.clock, desk.parts.ids)


async def remove(desk: JobDesk) -> None:
    await apps(desk).remove(desk.home.operator, "app_north")


async def approve_less(desk: JobDesk) -> None:
    await apps(desk).approve(desk.home.operator, "app_north", ["argus:jobs:write", "argus:epcr:read"])


async def withhold(desk: JobDesk) -> None:
    await apps(desk).withhold(desk.home.operator, ["argus:devices:read"])


async def govern(desk: JobDesk) -> None:
    await apps(desk).govern(desk.home.operator, "app_north", {"allowed_scopes": ["argus:jobs:write"]})


@pytest.fixture
def by_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scopes of `graph.compute` depend on its analyses."""
    table: dict[Analysis, tuple[str, ...]] = dict.fromkeys(Analysis, ())
    table |= {Analysis.CENTRALITY: ("argus:epcr:read",), Analysis.COMMUNITIES: ("argus:devices:read",)}
    monkeypatch.setattr(kinds, "KINDS", (replace(kinds.KINDS[0], scopes=by_field("analyses", table)),))


@pytest.mark.usefixtures("by_analysis")
@pytest.mark.contract("C-155", "C-168")
async def test_start_and_result_need_the_scopes_that_the_kind_needs_for_the_payload(desk: JobDesk) -> None:
    open_id = await desk.start("narrow")
    await desk.succeed(await desk.run())
    refused = await desk.post("narrow", payload={"analyses": ["components", "centrality", "communities"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert f'scope="{READS}"' in refused.headers["WWW-Authenticate"]
    closed_id = await desk.start(payload={"analyses": ["components", "centrality"]})
    await desk.succeed(await desk.run())
    statuses = [(await desk.get(f"/v1/jobs/{job_id}/result", "narrow")).status_code for job_id in (open_id, closed_id)]
    assert statuses == [200, 403]
    assert (await desk.get(f"/v1/jobs/{closed_id}/result")).status_code == 200


@pytest.mark.usefixtures("by_analysis")
async def test_claim_needs_the_scopes_that_the_kind_needs_for_the_payload(desk: JobDesk) -> None:
    ids = [await desk.start(payload={"analyses": [one]}) for one in ("components", "communities")]
    await withhold(desk)
    await desk.parts.shared(worker_of).step()
    jobs = [(await desk.get(f"/v1/jobs/{job_id}")).json() for job_id in ids]
    assert [job["status"] for job in jobs] == ["succeeded", "failed"]
    assert jobs[1]["error"]["code"] == "insufficient_scope"


async def test_result_is_refused_when_the_payload_cannot_be_read_any_more(
    desk: JobDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await desk.start()
    await desk.succeed(await desk.run())
    monkeypatch.setattr(kinds, "KINDS", (replace(kinds.KINDS[0], payload=Changed),))
    assert (await desk.get(f"/v1/jobs/{job_id}/result")).status_code == 404


@pytest.mark.parametrize("who", ["reader", "narrow"])
async def test_result_is_refused_to_a_token_without_the_scopes_of_the_kind(desk: JobDesk, who: str) -> None:
    job_id = await desk.start()
    await desk.succeed(await desk.run())
    refused = await desk.get(f"/v1/jobs/{job_id}/result", who)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert f'scope="{READS}"' in refused.headers["WWW-Authenticate"]
    assert "signed_url" not in refused.text
    assert (await desk.get(f"/v1/jobs/{job_id}", who)).json()["status"] == "succeeded"
    assert (await desk.get(f"/v1/jobs/{job_id}/result", "other")).status_code == 200


@pytest.mark.parametrize(
    ("lose", "code"),
    [
        (remove, "app_removed"),
        (approve_less, "insufficient_scope"),
        (withhold, "insufficient_scope"),
        (govern, "insufficient_scope"),
    ],
)
async def test_queued_job_fails_without_a_step_when_its_app_has_lost_its_rights(
    desk: JobDesk, lose: Callable[[JobDesk], Awaitable[None]], code: str
) -> None:
    job_id = await desk.start()
    await lose(desk)
    await desk.parts.shared(worker_of).step()
    job = (await desk.get(f"/v1/jobs/{job_id}")).json()
    assert (job["status"], job["error"]["code"], job["error"]["retryable"]) == ("failed", code, False)
    if code == "insufficient_scope":
        assert "argus:devices:read" in job["error"]["message"]
    assert [page async for page in desk.objects.pages("uploads")] == []


async def test_running_job_fails_at_its_next_claim_and_is_cleaned_up_when_its_app_was_removed(desk: JobDesk) -> None:
    job_id = await desk.start()
    part = await desk.objects.put("uploads/tnt_north/01HZZZZZZZZZZZZZZZZZZZZZZZ.00000-1", b"vehicle/1\n")
    mark = f'{{"name":"{part.name.removesuffix(".00000-1")}","parts":[]}}'
    await desk.rows.save(await desk.run(), f'{{"snapshot":{mark},"result":{mark}}}')
    await remove(desk)
    desk.clock.advance(us=LEASE_US)
    await desk.parts.shared(worker_of).step()
    job = (await desk.get(f"/v1/jobs/{job_id}")).json()
    assert (job["status"], job["error"]["code"]) == ("failed", "app_removed")
    assert [page async for page in desk.objects.pages("uploads")] == []
