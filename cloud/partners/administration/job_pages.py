"""The pages of jobs: their progress, the reasons of failures, and cancellation."""

from collections.abc import Sequence

from cloud.foundation.errors import DomainError
from cloud.foundation.http import Response
from cloud.partners.administration.admin_pages import AdminPages, Area, Visit, done
from cloud.partners.administration.schemas import JobsQuery
from cloud.work.jobs import Job, JobSearch, JobStatus, service_of


class JobPages:
    """Show and cancel the jobs of the administrator's tenant and organisation."""

    def __init__(self, pages: AdminPages) -> None:
        self._pages = pages
        self._jobs = pages.parts.shared(service_of)

    async def list(self, visit: Visit) -> Response:
        query: JobsQuery = visit.request.query
        statuses = () if query.status is None else (query.status,)
        total = 0

        async def read(before: tuple[int, str] | None, count: int) -> Sequence[Job]:
            nonlocal total
            found = await self._jobs.page(visit.actor, JobSearch(statuses=statuses, before=before), count)
            total = found.total_count
            return found.jobs

        rows, onward = await self._pages.rows(
            visit, read, lambda job: (job.created_at_us, job.id), {"status": query.status}, position=(int, str)
        )
        return self._pages.page(
            visit,
            "jobs.html",
            jobs=rows,
            onward=onward,
            total=total,
            chosen=query.status,
            statuses=[one.value for one in JobStatus],
        )

    async def show(self, visit: Visit) -> Response:
        return await self._one(visit)

    async def cancel(self, visit: Visit) -> Response:
        """Cancel a job. A repetition of the form, after a reload of the page, shows the same confirmation."""
        try:
            await self._jobs.cancel(visit.actor, _id(visit))
        except DomainError as error:
            return await self._one(visit, error)
        return done(f"{Area.JOBS.path}/{_id(visit)}", "job_cancelled")

    async def _one(self, visit: Visit, error: DomainError | None = None) -> Response:
        job = await self._jobs.find(visit.actor, _id(visit))
        return self._pages.page(visit, "job.html", error=error, job=job)


def _id(visit: Visit) -> str:
    return visit.request.path["job_id"]
