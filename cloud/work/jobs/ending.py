"""Report the ends of jobs: an event for the subscribers, and a call-back to the address in the job's request.

Both are written in the transaction that ends the job. So each job that has ended has exactly one event and at most one
call-back, whichever process is killed.
"""

from collections.abc import Sequence

from cloud.foundation.db import Transaction
from cloud.foundation.events import SECRECY, NewEvent, Outbox
from cloud.foundation.process import Process
from cloud.foundation.trace import continued
from cloud.work.jobs.callbacks import Callback, CallbackSender, callbacks_of
from cloud.work.jobs.event_types import event_of
from cloud.work.jobs.model import Job
from cloud.work.jobs.showing import shown


class JobEnds:
    """Reports ended jobs to subscribers and to the addresses of call-backs."""

    def __init__(self, outbox: Outbox, callbacks: CallbackSender) -> None:
        self._outbox = outbox
        self._callbacks = callbacks

    async def report(self, tx: Transaction, ended: Sequence[Job]) -> None:
        """Emit the events and queue the call-backs of jobs that end in this transaction."""
        ids = await self._outbox.emit_all(tx, [_event(job) for job in ended])
        callbacks = [_callback(job, event_id) for job, event_id in zip(ended, ids, strict=True)]
        await self._callbacks.send(tx, [one for one in callbacks if one is not None])


def ends_of(process: Process) -> JobEnds:
    """Make the reporter of ended jobs of a process. Call it as `process.shared(ends_of)`."""
    return JobEnds(Outbox(process.ids), process.shared(callbacks_of))


def _event(job: Job) -> NewEvent:
    payload = shown(job)
    payload[SECRECY] = job.secrecy_level.word
    return NewEvent(event_of(job.status), job, job.id, payload, _ended_at_us(job), continued(job.traceparent))


def _callback(job: Job, event_id: str) -> Callback | None:
    """Return the call-back of an ended job; None if its request named no address."""
    if job.callback_url is None or job.client_id is None:
        return None
    return Callback(
        tenant_id=job.tenant_id,
        organization_id=job.organization_id,
        client_id=job.client_id,
        secrecy_level=job.secrecy_level,
        url=job.callback_url,
        event=event_of(job.status),
        event_id=event_id,
        subject_id=job.id,
        data=shown(job),
        at_us=_ended_at_us(job),
        traceparent=job.traceparent,
    )


def _ended_at_us(job: Job) -> int:
    assert job.completed_at_us is not None, "the job has ended"
    return job.completed_at_us
