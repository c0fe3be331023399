"""A run of a claimed job: the job as its steps see it, and the task that makes the steps.

A run reads its job at once. A worker makes the runs of a claim while the database writes the claim to the disk, so that
this costs no time of its own.
"""

import asyncio
from typing import Any

from cloud.foundation.trace import begin_trace
from cloud.foundation.viewer import Actor
from cloud.work.jobs.kind import AnyKind, RunningJob
from cloud.work.jobs.model import LeasedJob


class JobRun:
    """A run of the job `leased`, which is the job as it is stored after its last step, also for the handlers of an
    exception. `kind` is None if this program does not know it. `trace` is the span of the run, and `attributes` are
    those of the span. `began_s` is the beginning of the step that runs now, in `task`."""

    __slots__ = ("_read", "attributes", "began_s", "is_overdue", "kind", "leased", "task", "trace")

    def __init__(self, leased: LeasedJob, kind: AnyKind | None) -> None:
        self.leased = leased
        self.kind = kind
        self.trace = begin_trace(leased.traceparent)
        self.attributes: dict[str, Any] = {
            "argus.job.id": leased.id,
            "argus.job.kind": leased.kind,
            "argus.job.attempt": leased.attempts,
        }
        self.task: asyncio.Task[Any] | None = None
        self.began_s = 0.0
        self.is_overdue = False
        try:
            self._read: RunningJob[Any, Any] | Exception | None = None if kind is None else self._as_seen_by(kind)
        except Exception as error:
            self._read = error

    @property
    def job(self) -> RunningJob[Any, Any]:
        """The job as its first step sees it. Raises `ValidationError`, or what the validators of the payload raise, if
        this program cannot read it."""
        assert self._read is not None, "only the steps of a known kind see a job"
        if isinstance(self._read, Exception):
            raise self._read
        return self._read

    def _as_seen_by(self, kind: AnyKind) -> RunningJob[Any, Any]:
        leased = self.leased
        actor = Actor(
            leased.tenant_id,
            leased.organization_id,
            leased.secrecy_level,
            subject=leased.subject,
            client_id=leased.client_id,
            trace=self.trace,
        )
        payload = kind.payload.model_validate_json(leased.payload)
        state = kind.state() if leased.state is None else kind.state.model_validate_json(leased.state)
        return RunningJob(leased.id, actor, payload, state, leased.lease_token)

    def cancel(self) -> None:
        """Cancel the step, which takes too long."""
        if not self.is_overdue and self.task is not None:
            self.is_overdue = True
            self.task.cancel()
