"""The interface through which a job's end reaches the address that its request named.

The slice of webhooks, which this room may not import, implements it: a call-back is a webhook delivery with the same
worker, signatures, retries and guards (contract C-160, C-161).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.process import Process
from cloud.foundation.settings import Settings
from cloud.foundation.supplies import Need
from cloud.foundation.viewer import SecrecyLevel, Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A call-back to an app. `event` and `event_id` are those of the domain event, so a receiver that also subscribes
    to the event recognises the second message. `subject_id` is the object that the call-back reports."""

    tenant_id: str
    organization_id: str | None
    client_id: str
    secrecy_level: SecrecyLevel
    url: str = field(repr=False)
    event: str
    event_id: str
    subject_id: str
    data: Mapping[str, Any]
    at_us: int
    traceparent: str | None


class CallbackSender(Protocol):
    """Checks addresses of call-backs, and queues call-backs."""

    async def judge(self, url: str) -> None:
        """Check that an address may be called, with a query of the name server. Raises `UrlMalformed`, `UrlBlocked`."""
        ...

    async def admit(self, tx: Transaction, owner: Viewer, client_id: str, url: str) -> None:
        """Check that the app's governance allows the host of an address and that the app has not named too many
        addresses, and note a new one. `owner` has the tenant, the organisation and the secrecy level of the job. Raises
        `WebhookHostNotAllowed`, `TooManyCallbackAddresses`."""
        ...

    async def send(self, tx: Transaction, callbacks: Sequence[Callback]) -> None:
        """Queue call-backs in the transaction of the changes that they report."""
        ...


CALLBACKS: Need[Callable[[Settings, Clock, Ids], CallbackSender]] = Need("the sender of call-backs")


def callbacks_of(process: Process) -> CallbackSender:
    """Make the sender of call-backs of a process. Call it as `process.shared(callbacks_of)`."""
    return process.supplies[CALLBACKS](process.settings, process.clock, process.ids)
