"""Queue call-backs to apps as webhook deliveries. Implements `CallbackSender` of jobs.

If an enabled webhook of the app has the address, the call-back is a delivery of that webhook, and so is signed with its
secret. Otherwise the address gets a row of its own among the subscriptions, without events, whose deliveries are signed
with the app's call-back secret (contract matrix A-065). Thus an address that fails or responds with 410 delays or stops
only its own call-backs.
"""

import base64
import hashlib
from collections.abc import Sequence

import structlog
from sqlalchemy import bindparam, func, or_, select, update

from cloud.access.apps import AppStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Prepared, Transaction, insert
from cloud.foundation.ids import Ids
from cloud.foundation.trace import continued
from cloud.foundation.viewer import Viewer
from cloud.partners.webhooks.delivery_store import DeliveryStore, NewDelivery
from cloud.partners.webhooks.errors import TooManyCallbackAddresses, WebhookHostNotAllowed
from cloud.partners.webhooks.governing import host_of
from cloud.partners.webhooks.messages import message_body
from cloud.partners.webhooks.model import RECEIVER_ID, DeliveryKind
from cloud.partners.webhooks.service import Judge
from cloud.partners.webhooks.tables import webhook_subscriptions
from cloud.work.jobs import Callback

log = structlog.get_logger()

RENEWAL_US = 86_400_000_000
"""Interval after which a used receiver is written again. It shows retention that the receiver is in use; a shorter
interval would write the row for each call-back."""

RECEIVERS_MAX = 1_000
"""Addresses of the call-backs of one app, until retention deletes those without deliveries. An app needs one for each
of its services, since a call-back names its job. One query of the worker examines the receivers of ten apps at this
limit, and the listing of webhooks steps over those of its tenant."""

_subs = webhook_subscriptions.c
_WEBHOOK = Prepared(
    select(_subs.id)
    .where(
        _subs.client_id == bindparam("client"),
        _subs.url == bindparam("address"),
        _subs.is_callback == 0,
        _subs.deleted_at_us.is_(None),
        _subs.disabled_at_us.is_(None),
    )
    .order_by(_subs.id)
    .limit(1)
)
# Also enables a receiver again: the request of this job named its address, whatever became of earlier call-backs.
_RENEW = Prepared(
    update(webhook_subscriptions)
    .where(
        _subs.id == bindparam("which"),
        or_(_subs.disabled_at_us.is_not(None), _subs.updated_at_us < bindparam("written_before")),
    )
    .values(
        disabled_at_us=None,
        disabled_reason=None,
        failing_since_us=None,
        failed_at_us=None,
        updated_at_us=bindparam("now"),
    )
)
_KNOWN = Prepared(select(_subs.id).where(_subs.id == bindparam("which")))
_COUNT = Prepared(select(func.count()).where(_subs.client_id == bindparam("client"), _subs.is_callback == 1))
_COLUMNS = ("id", "tenant_id", "organization_id", "client_id", "secrecy_level", "url", "created_at_us", "updated_at_us")
_ADD = Prepared(
    insert(webhook_subscriptions)
    .values(
        **{name: bindparam(name) for name in _COLUMNS},
        secret_set_at_us=bindparam("created_at_us"),
        version=1,
        is_callback=1,
    )
    .on_conflict_do_nothing(index_elements=["id"])
)


class CallbackQueue:
    """Check addresses of call-backs, and queue call-backs as deliveries."""

    def __init__(self, clock: Clock, ids: Ids, judge: Judge) -> None:
        self._clock = clock
        self._ids = ids
        self._judge = judge
        self._apps = AppStore()
        self._deliveries = DeliveryStore()

    async def judge(self, url: str) -> None:
        """Check that an address may be called. Raises `UrlMalformed`, `UrlBlocked`."""
        await self._judge(url)

    async def admit(self, tx: Transaction, owner: Viewer, client_id: str, url: str) -> None:
        """Check that the app may get call-backs at an address, and add the receiver of a new address: jobs that have
        not ended count too. Transactions at the same time may exceed the limit by their number. Raises
        `WebhookHostNotAllowed`, `TooManyCallbackAddresses`."""
        app = await self._apps.find(tx, client_id)
        if app is None or not app.governance.allows_webhook(host_of(url)):
            raise WebhookHostNotAllowed
        id = receiver_id(client_id, url)
        known = await tx.driver.rows(_KNOWN, {"which": id})
        if known or await self._webhook(tx, client_id, url) is not None:
            return
        ((count,),) = await tx.driver.rows(_COUNT, {"client": client_id})
        if count >= RECEIVERS_MAX:
            raise TooManyCallbackAddresses
        await self._add(tx, id, owner, client_id, url, self._clock.now_us())

    async def send(self, tx: Transaction, callbacks: Sequence[Callback]) -> None:
        """Queue call-backs in the transaction of the changes that they report. An app that was deleted, or whose
        governance no longer allows the host, gets none."""
        # In the order of the receivers' ids, which is the order of locking.
        for one in sorted(callbacks, key=lambda one: (receiver_id(one.client_id, one.url), one.at_us)):
            app = await self._apps.find(tx, one.client_id)
            if app is not None and app.governance.allows_webhook(host_of(one.url)):
                await self._queue(tx, one, self._clock.now_us())
            else:
                log.warning("callback.refused", subject_id=one.subject_id, client_id=one.client_id)

    async def _queue(self, tx: Transaction, callback: Callback, now_us: int) -> None:
        new = NewDelivery(
            id=self._ids.new("dlv"),
            webhook_id=await self._receiver(tx, callback, now_us),
            tenant_id=callback.tenant_id,
            kind=DeliveryKind.CALLBACK,
            event=callback.event,
            event_id=callback.event_id,
            # Apart from the lane of the events about the object, whose deliveries the relay queues.
            lane=f"callback {callback.subject_id}",
            body=message_body(callback.event, callback.at_us, callback.data),
            traceparent=continued(callback.traceparent),
        )
        await self._deliveries.queue(tx, new, now_us)

    async def _receiver(self, tx: Transaction, callback: Callback, now_us: int) -> str:
        """Return the id of the subscription that receives a call-back; add it if there is none."""
        webhook_id = await self._webhook(tx, callback.client_id, callback.url)
        if webhook_id is not None:
            return webhook_id
        id = receiver_id(callback.client_id, callback.url)
        # The update before the insert: it locks the row, or finds that retention has deleted it.
        await tx.driver.run(_RENEW, {"which": id, "written_before": now_us - RENEWAL_US, "now": now_us})
        owner = Viewer(callback.tenant_id, callback.organization_id, callback.secrecy_level)
        await self._add(tx, id, owner, callback.client_id, callback.url, now_us)
        return id

    async def _webhook(self, tx: Transaction, client_id: str, url: str) -> str | None:
        """Return the id of the enabled webhook of an app with an address; None if there is none."""
        webhooks = await tx.driver.rows(_WEBHOOK, {"client": client_id, "address": url})
        return str(webhooks[0][0]) if webhooks else None

    async def _add(self, tx: Transaction, id: str, owner: Viewer, client_id: str, url: str, now_us: int) -> None:
        """Add a receiver unless it exists."""
        row = (id, owner.tenant_id, owner.organization_id, client_id, int(owner.clearance), url, now_us, now_us)
        await tx.driver.run(_ADD, dict(zip(_COLUMNS, row, strict=True)))


def receiver_id(client_id: str, url: str) -> str:
    """Return the id of the row for the call-backs of an app to an address. It follows from both, so that two
    transactions that add it at the same time collide."""
    digest = hashlib.sha256(f"{client_id}\n{url}".encode()).digest()
    return f"{RECEIVER_ID}_{base64.b32encode(digest[:20]).decode()}"
