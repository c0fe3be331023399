"""The job pages show an administrator what the apps' jobs do and why they failed. An administrator can cancel a job."""

from cloud.work.jobs.model import JobError, JobStatus
from tests.builders.administration_desk import Office, office
from tests.builders.auth_world import AuthWorld
from tests.builders.job_rows import JobRows

KIND = "graph.compute"


def rows_of(world: AuthWorld) -> JobRows:
    return JobRows(world.database, world.clock)


async def start(it: Office, tenant_id: str = "tnt_north") -> str:
    """Enqueue a job of an app of the tenant; return its id."""
    home = {"tenant_id": tenant_id, "client_id": None, "kind": KIND}
    (job_id,) = await rows_of(it.world).enqueue(1, **home)
    return job_id


async def test_administrator_cancels_a_job_and_the_trail_names_the_administrator(world_on_either: AuthWorld) -> None:
    async with office(world_on_either) as it:
        job_id = await start(it)
        listed = (await it.ada.get("/admin/jobs")).text
        assert job_id in listed
        assert "Jobs: 1" in listed
        sent = await it.send(f"/admin/jobs/{job_id}", f"/admin/jobs/{job_id}/cancel")
        page = (await it.ada.get(sent.answered.headers["Location"])).text
        assert "The job is cancelled." in page
        assert "Cancel the job" not in page
        (entry,) = await it.trail("job.cancel")
        assert entry.object == job_id
        assert (await rows_of(it.world).find(job_id, "tnt_north")).status is JobStatus.CANCELLED
        assert "There are no jobs here" in (await it.ada.get("/admin/jobs?status=queued")).text


async def test_failed_job_page_shows_the_reason_and_the_form_of_an_ended_job_is_refused(
    world_on_either: AuthWorld,
) -> None:
    async with office(world_on_either) as it:
        job_id = await start(it)
        form = (await it.ada.get(f"/admin/jobs/{job_id}")).form(f"/admin/jobs/{job_id}/cancel")
        rows = rows_of(it.world)
        error = JobError("graph_too_large", "The graph is too large.", False)
        await rows.settle(await rows.claim_one("tnt_north"), JobStatus.FAILED, error=error)
        refused = await it.ada.fill(form)
        assert "The job has ended and cannot be cancelled." in refused.text
        assert "The graph is too large. graph_too_large" in (await it.ada.get(f"/admin/jobs/{job_id}")).text


async def test_job_of_another_tenant_is_not_found(world_on_either: AuthWorld) -> None:
    async with office(world_on_either) as it:
        job_id = await start(it, "tnt_south")
        assert job_id not in (await it.ada.get("/admin/jobs")).text
        assert "Job not found." in (await it.ada.get(f"/admin/jobs/{job_id}")).text
