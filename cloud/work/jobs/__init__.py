"""Jobs: long-running work that a client enqueues, follows, and whose result it fetches."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.work.jobs.backlog import job_findings
    from cloud.work.jobs.callbacks import CALLBACKS, Callback, CallbackSender, callbacks_of
    from cloud.work.jobs.cli import job_commands
    from cloud.work.jobs.files import FileLost, JobFiles, files_of
    from cloud.work.jobs.kind import (
        SCOPES,
        Advance,
        Effect,
        Finish,
        JobFailure,
        JobKind,
        JobWork,
        RunningJob,
        Undo,
        job_kinds,
    )
    from cloud.work.jobs.model import Job, JobError, JobResult, JobStatus, NewJob
    from cloud.work.jobs.scopes import ScopesNeeded, always, by_field
    from cloud.work.jobs.service import JobService, Wanted, read_wanted, service_of
    from cloud.work.jobs.signals import JobBell
    from cloud.work.jobs.store import JobSearch, JobStore
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    data_schemas="schemas:DATA_SCHEMAS",
    tables="tables",
    jobs="running:jobs",
    settings={"jobs": "settings:JobsSection"},
    ids={"job": IdKind("job", "jobs")},
    events="event_types:EVENTS",
    tags={"Jobs": "Long-running work: start it, follow it, fetch its result."},
    routes=("routes:routes",),
    # The group `jobs` is declared by `cloud.work.schedules`, which adds its commands to `job_commands`.
)
