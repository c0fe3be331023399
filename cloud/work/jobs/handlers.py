"""HTTP handlers of jobs."""

import structlog

from cloud.foundation.http import (
    Created,
    Host,
    Json,
    Listing,
    NoContent,
    Parts,
    Request,
    Response,
    filters_of,
    link_to_next,
)
from cloud.foundation.moments import write_moment
from cloud.foundation.objects import ResultExpired, ResultLinks, Results, object_store_of
from cloud.work.jobs.errors import JobCancelled, JobFailed, JobWithoutResult
from cloud.work.jobs.model import Job, JobStatus
from cloud.work.jobs.rights import check_token
from cloud.work.jobs.schemas import JobQuery, JobWanted
from cloud.work.jobs.service import JobRows, JobService, read_wanted, service_of
from cloud.work.jobs.showing import shown, shown_error, shown_in_list
from cloud.work.jobs.store import JobSearch

POLL_S = 5
"""Seconds after which a client may poll an unfinished job again: most steps take about one."""

log = structlog.get_logger()


class JobHandlers:
    """Handlers of all routes under `/v1/jobs`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._jobs: JobService = parts.shared(service_of)
        self._results = Results()
        objects = object_store_of(parts.settings)
        self._links = ResultLinks(objects, parts.master, parts.bases[Host.API], parts.clock)

    async def enqueue(self, request: Request) -> Response:
        body = request.body
        assert isinstance(body, JobWanted)
        scopes = request.verified.scopes
        wanted = read_wanted(body.kind, body.payload, body.secrecy_level, body.callback_url, scopes=scopes)

        def respond(job: Job) -> Response:
            document = shown(job)
            names = ("id", "kind", "status", "created_at", "trace_id")
            location = f"{self._parts.bases[request.host]}{request.route.path}/{job.id}"
            return Created({name: document[name] for name in names}, location=location)

        return await self._jobs.enqueue_once(request.actor, scopes, wanted, request.idempotent_reply, respond)

    async def list(self, request: Request) -> Response:
        query = request.query
        assert isinstance(query, JobQuery)
        listing = Listing(
            cursors=self._parts.cursors,
            viewer=request.viewer,
            route=request.route.name,
            filters=filters_of(request),
            position=(int, str),
        )
        total_count = 0

        async def read(before: tuple[int, str] | None, count: int) -> list[Job]:
            nonlocal total_count
            search = JobSearch(kinds=query.kind or (), statuses=query.status or (), before=before)
            found: JobRows = await self._jobs.page(request.viewer, search, count)
            total_count = found.total_count
            return list(found.jobs)

        page = await listing.read_page(query.cursor, query.limit, read, lambda job: (job.created_at_us, job.id))
        document = {
            "jobs": [shown_in_list(job) for job in page.rows],
            "next_cursor": page.next_cursor,
            "total_count": total_count,
        }
        return Json(document, headers=link_to_next(self._parts.bases, request, page.next_cursor))

    async def inspect(self, request: Request) -> Response:
        return Json(shown(await self._jobs.find(request.viewer, request.path["id"])))

    async def cancel(self, request: Request) -> Response:
        """Cancel a job: 204, or 200 with the job if it was cancelled before (contract C-176, C-177)."""
        job, newly = await self._jobs.cancel(request.actor, request.path["id"])
        return NoContent() if newly else Json(shown(job))

    async def result(self, request: Request) -> Response:
        """Return the address of a job's result (contract C-167 … C-173). It needs the scopes that starting the job
        needs, since the result has what a caller without them may not read."""
        job = await self._jobs.find(request.viewer, request.path["id"])
        if job.is_open:
            document = {"status": job.status, "progress_pct": job.progress_pct}
            return Json(document, status=202, headers={"Retry-After": str(POLL_S)})
        if job.status is JobStatus.FAILED:
            raise JobFailed(shown_error(job.error))
        if job.status is JobStatus.CANCELLED:
            raise JobCancelled
        if job.result_expires_at_us is None:
            raise JobWithoutResult
        now_us = self._parts.clock.now_us()
        # Not in the future: an object that was removed before its time has expired by now.
        expired = ResultExpired(members={"expired_at": write_moment(min(job.result_expires_at_us, now_us))})
        # Before the scopes, since the payload that states them is deleted with the result.
        if job.result is None or job.result_expires_at_us <= now_us:
            raise expired
        check_token(await self._jobs.scopes_of(request.viewer, job), request.verified.scopes)
        async with self._parts.database.read() as tx:
            result = await self._results.find(tx, job.id)
        if result is None:
            raise expired
        if not await self._links.is_stored(result):
            log.warning("results.object_lost", object=result.stored.name)
            raise expired
        await self._jobs.note_fetched(request.actor, job)
        link = await self._links.link_to(result)
        suffix = result.download.file_name.partition(".")[2]
        document = {
            "id": job.id,
            "result_ref": f"r2://argus-jobs/results/{job.id}.{suffix}",
            "signed_url": link.url,
        }
        return Json(document)
