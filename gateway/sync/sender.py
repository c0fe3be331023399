"""Sends the batches of one connection as soon as they are complete and the limits on batches in flight allow it.

Three things let a batch become due: a commit completes it, an acknowledgement frees a place for it, or the
acknowledgement of an earlier sending is overdue. Most acknowledgements free no place that a batch waits for, so the
sender does not look for one after each of them: a look costs as much as applying the acknowledgement.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from gateway.security.identity import Identity
from gateway.sync.batch_source import BatchSource
from gateway.sync.flows import Due, Flows
from gateway.sync.mqtt import MqttSession
from gateway.sync.mqtt_errors import MqttRefused
from gateway.sync.recovered_flow import RecoveredBatches
from gateway.transports.clock import Clock
from protocols.uplink.envelope import Envelope, encode_envelope, sign_hash, traceparent_of
from protocols.uplink.lanes import Lane
from protocols.uplink.trace_properties import trace_properties

log = structlog.get_logger()


class EpochChanged(Exception):
    """Another store took the place of the one whose batches this connection sends."""


@dataclass(slots=True)
class SentSums:
    """Number of batches that an uplink has sent, and their bytes. A batch that is sent twice counts twice."""

    batches: int = 0
    bytes: int = 0


class Sender:
    """Sends the batches of `flows`, and those of `recovered` while none of `flows` is in flight or due. `up`: the topic
    of each lane. `ack_timeout_s`: time from a sending until its acknowledgement is overdue, at least."""

    def __init__(
        self,
        session: MqttSession,
        source: BatchSource,
        flows: Flows,
        recovered: RecoveredBatches,
        identity: Identity,
        clock: Clock,
        *,
        up: Mapping[Lane, str],
        sums: SentSums,
        ack_timeout_s: float,
    ) -> None:
        self._session = session
        self._source = source
        self._flows = flows
        self._recovered = recovered
        self._identity = identity
        self._clock = clock
        self._up = up
        self._sums = sums
        self._ack_timeout_s = ack_timeout_s
        # A delay between the commit and the sending is most of the latency to the cloud.
        self._wake = source.wait_for_commit()

    def note_ack(self) -> None:
        """Send what the acknowledgement that was just applied allows to be sent."""
        flows = self._flows
        if flows.has_due or (not flows.in_flight and self._recovered.is_due(self._clock.monotonic_s())):
            self._wake.set()

    async def send(self) -> None:
        """Send each batch when it is due. Raises `EpochChanged` when the buffer uses another store. Never returns."""
        while True:
            self._wake.clear()
            if self._source.epoch != self._flows.epoch:
                raise EpochChanged
            self._flows.refresh()
            await self._session.slot()
            due = await self._flows.next()
            if due is not None:
                self._publish(due, self._flows)
                continue
            recovered = None if self._flows.in_flight else await self._recovered.next(self._clock.monotonic_s())
            if recovered is not None:
                self._publish(*recovered)
                continue
            await self._wake.wait()

    async def resend_overdue(self) -> None:
        """Send the batches again whose acknowledgement is overdue, and look for recovered batches. Never returns."""
        while True:
            now_s = self._clock.monotonic_s()
            for lane, overdue in self._flows.expire(now_s).items():
                log.warning("uplink.batches_unanswered", lane=lane.value, batches=len(overdue))
                self._wake.set()
            # A batch that is sent during the sleep is not overdue before its end, so no sending has to end it.
            next_s = now_s + self._ack_timeout_s
            due_s = self._flows.deadline_s if self._flows.in_flight else self._recovered.deadline_s
            if due_s is not None and due_s <= now_s:
                self._wake.set()
                due_s = None
            await self._clock.sleep_until(next_s if due_s is None else min(due_s, next_s))

    def _publish(self, due: Due, flows: Flows) -> None:
        chain_hash = due.batch.hash
        envelope = Envelope(
            batch=due.batch,
            signature=sign_hash(chain_hash, self._identity.signing_key),
            historical=not due.flow.live or flows is not self._flows,
            traceparent=traceparent_of(chain_hash),
        )
        data = encode_envelope(envelope)
        properties = trace_properties(due.batch.kind, chain_hash, self._clock.wall_us())
        published = self._session.publish(self._up[due.flow.lane], data, user_properties=properties)
        published.add_done_callback(lambda done: self._check_published(due, flows, done))
        flows.note_sending(due, self._clock.monotonic_s())
        self._sums.batches += 1
        self._sums.bytes += len(data)

    def _check_published(self, due: Due, flows: Flows, published: "asyncio.Future[None]") -> None:
        """Handle the PUBACK of `due`: report a confirmed batch in the status. A refused batch ends the connection,
        because the broker's ACL or quota would refuse further batches too."""
        if published.cancelled():
            return
        error = published.exception()
        if error is None:
            flows.note_publication(due)
        if isinstance(error, MqttRefused):
            self._session.end(str(error))
