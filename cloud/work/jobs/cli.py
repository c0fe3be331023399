"""`argus-cloud jobs`: list, inspect and cancel the jobs of a tenant. Apps start jobs over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.events import Outbox
from cloud.foundation.suggestions import closest, quoted
from cloud.work.jobs.callbacks import CALLBACKS
from cloud.work.jobs.ending import JobEnds
from cloud.work.jobs.kind import job_kinds
from cloud.work.jobs.model import Job, JobStatus
from cloud.work.jobs.service import JobService
from cloud.work.jobs.showing import shown
from cloud.work.jobs.signals import JobBell
from cloud.work.jobs.store import JobSearch

job_commands = typer.Typer(help="Jobs of tenants.", no_args_is_help=True)

JobArgument = Annotated[str, typer.Argument(help="The job's id.")]
ROWS_MAX = 1_000


def _service(place: Workplace) -> JobService:
    callbacks = place.supplies[CALLBACKS](place.settings, place.clock, place.ids)
    # The bell of this process has no listener: a worker of another process sees a cancellation by NOTIFY or its lease.
    ends = JobEnds(Outbox(place.ids), callbacks)
    return JobService(place.database, place.clock, place.ids, JobBell(), callbacks, ends)


@job_commands.command("list")
def list_jobs(
    context: typer.Context,
    tenant: TenantOption,
    status: Annotated[list[JobStatus] | None, typer.Option("--status", help="Filter by status; repeatable.")] = None,
    kind: Annotated[list[str] | None, typer.Option("--kind", help="Filter by kind; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="Maximum rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the jobs of a tenant, newest first."""
    _check_kinds(kind or ())
    search = JobSearch(kinds=kind or (), statuses=status or ())
    found = run(context, lambda place: _service(place).page(place.operator(tenant), search, limit))
    rows = [_document(job) for job in found.jobs]
    if as_json:
        print_rows("Jobs", rows, as_json=True)
        return
    names = ("id", "kind", "status", "progress_pct", "client_id", "created_at", "completed_at")
    print_rows(
        f"Jobs ({len(rows)} of {found.total_count})",
        [{name: row[name] for name in names} for row in rows],
        as_json=False,
    )


@job_commands.command("show")
def show_job(context: typer.Context, job: JobArgument, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Show a job: its status, its progress and the reason of a failure."""
    document = _document(run(context, lambda place: _service(place).find(place.operator(tenant), job)))
    sentence = "\n".join(f"{name:>20}  {_text(value)}" for name, value in document.items() if value is not None)
    print_one(sentence, document, as_json=as_json)


@job_commands.command("cancel")
def cancel_job(context: typer.Context, job: JobArgument, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Cancel a queued or running job. Its subscribers and its call-back are notified."""
    cancelled, newly = run(context, lambda place: _service(place).cancel(place.operator(tenant), job))
    sentence = f"Job {job} is cancelled." if newly else f"Job {job} was cancelled before."
    print_one(sentence, _document(cancelled), as_json=as_json)


def _check_kinds(given: Sequence[str]) -> None:
    known = job_kinds()
    for one in given:
        if one not in known:
            near = closest(one, known)
            hint = "" if near is None else f" Did you mean {near}?"
            text = f"The kind {quoted(one)} is unknown. One of {', '.join(known)} is expected.{hint}"
            raise typer.BadParameter(text, param_hint="--kind")


def _document(job: Job) -> dict[str, Any]:
    """Return what an operator sees of a job."""
    return {
        **shown(job),
        "tenant_id": job.tenant_id,
        "organization_id": job.organization_id,
        "client_id": job.client_id,
        "subject": job.subject,
        "secrecy_level": job.secrecy_level.word,
        "callback_url": job.callback_url,
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={inner}" for name, inner in value.items())
    return str(value)
