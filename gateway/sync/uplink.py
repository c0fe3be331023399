"""The uplink of a gateway: its connections to the cloud, one after the other. A batch counts as delivered only when the
cloud has acknowledged it.

A connection begins with the exchange of marks: our retained status states the mark of each lane (the sequence through
which the cloud has acknowledged all batches), and the cloud responds with its own marks. Only then are batches of that
lane sent. So a restored cloud gets the batches that it lost, and a replaced gateway begins at sequence 1 of its own
epoch. If the cloud holds a different history of a lane, that lane stops until it is known whether another gateway uses
the lane or this store was restored (`fork.py`).

A connection has tasks that receive acknowledgements, send batches (`sender`) and publish the status. When one of them
ends, all end; the batches in flight are sent again. When a spare store replaces a failed one, the epoch changes: the
connection ends, and the next one begins with the marks of the new epoch.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import structlog

from gateway.buffer.archive import Archive
from gateway.security.identity import Identity
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sync.batch_source import BatchSource
from gateway.sync.flows import Flows, History
from gateway.sync.fork import ForkWatch
from gateway.sync.inbox import Message
from gateway.sync.lane_window import Verdict
from gateway.sync.mqtt import MqttSession
from gateway.sync.mqtt_errors import MqttPubackLost, MqttRefused, MqttTakenOver, MqttUnavailable
from gateway.sync.recovered_flow import RecoveredBatches
from gateway.sync.sender import EpochChanged, Sender, SentSums
from gateway.sync.settings import UplinkSettings, broker_address
from gateway.sync.state import LaneProgress, UplinkState, lanes_progress
from protocols.errors import RemoteProtocolError
from protocols.uplink import topics
from protocols.uplink.acks import Ack, decode_ack
from protocols.uplink.lanes import Lane
from protocols.uplink.reconnection import ReconnectWait
from protocols.uplink.status import Mark, Status, StoreState, encode_status
from protocols.waits import GrowingWait

__all__ = ["LaneProgress", "Uplink", "UplinkSettings", "UplinkState"]

FAREWELL_S = 1.0


class Commands(Protocol):
    """The receiver of the cloud's commands: missions of the vehicle."""

    async def receive(self, data: bytes) -> bool:
        """Handle a command; return whether `held` changed."""
        ...

    def held(self) -> Mapping[str, int]:
        """Return the stored version of each mission, by encounter."""
        ...


log = structlog.get_logger()


class Uplink:
    """The uplink of one gateway. `run` ends by cancellation or an error of the buffer, and may be called again."""

    def __init__(
        self,
        source: BatchSource,
        identity: Identity,
        settings: UplinkSettings,
        clock: TrustedClock,
        *,
        tenant: str,
        gateway: str,
        software: str = "argus-gateway",
        archive: Archive | None = None,
        commands: Commands | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._identity = identity
        self._settings = settings
        self._clock = clock
        self._tenant = tenant
        self._gateway = gateway
        self._software = software
        self._archive = archive
        self._commands = commands
        self._recovered = RecoveredBatches(archive, settings)
        self._fork = ForkWatch(clock, settings.fork_patience_s)
        self._conflict = False
        self._reconnect = ReconnectWait(settings.reconnect, chance)
        self._flows = Flows(source, settings)
        self._up = {lane: topics.up(tenant, gateway, lane) for lane in Lane}
        self._status_topic = topics.status(tenant, gateway)
        self._command_topic = topics.command(tenant, gateway)
        self._queried: set[Lane] = set()
        self._status_due = asyncio.Event()
        self._connected = False
        self._since_us = clock.wall_us()
        self._last_error: str | None = None
        self._sent = SentSums()
        self._delivered = False

    @property
    def state(self) -> UplinkState:
        windows = self._flows.windows
        return UplinkState(
            connected=self._connected,
            contested=self._is_contested,
            since_us=self._since_us,
            last_error=self._last_error,
            attempts=self._reconnect.failures,
            sent_batches=self._sent.batches,
            sent_bytes=self._sent.bytes,
            under_way_bytes=self._flows.under_way_bytes,
            window_bytes=self._flows.pacing.window_bytes,
            lanes=lanes_progress(windows, connected=self._connected),
        )

    @property
    def connected_since_us(self) -> int | None:
        """Wall time at which the present connection began; None: there is no connection."""
        return self._since_us if self._connected else None

    @property
    def _is_contested(self) -> bool:
        """True when another gateway is known to claim one of our lanes; False while this is not decided."""
        stopped = any(window.contested for window in self._flows.windows.values())
        return stopped and (self._archive is None or self._conflict or self._fork.has_rival)

    def announce_clock(self) -> None:
        """Publish a status and check the broker's certificate again, because the clock's synchronisation changed."""
        self._status_due.set()

    async def run(self) -> None:
        """Connect, send until the connection ends, wait, and repeat. Publishes the offline status when cancelled."""
        while True:
            await self._store_in_use()
            began_s, self._delivered = self._clock.monotonic_s(), False
            try:
                await self._connection()
            except (MqttUnavailable, MqttRefused) as error:
                self._record_end(error)
            except EpochChanged:
                log.warning("uplink.epoch_changed", epoch=self._source.epoch)
                continue
            finally:
                self._set_connected(False)
            held_s = self._clock.monotonic_s() - began_s
            self._reconnect.end_connection(held_s=held_s, delivered=self._delivered)
            await self._clock.sleep_until(self._clock.monotonic_s() + self._reconnect.next_s())

    async def _store_in_use(self) -> None:
        """Wait until the buffer has a store in use. Prepare new `Flows` if that store is another one than before."""
        commits = self._source.wait_for_commit()
        while not self._source.epoch:
            await commits.wait()
            commits.clear()
        if self._flows.epoch != self._source.epoch:
            self._flows = Flows(self._source, self._settings)
            self._conflict = False
            self._recovered.begin_epoch()

    def _record_end(self, error: Exception) -> None:
        self._last_error = str(error)
        if isinstance(error, MqttTakenOver):
            self._fork.take_over()
            log.error("uplink.taken_over", gateway=self._gateway, reason=str(error))
            self._delivered = False
        elif isinstance(error, MqttPubackLost):
            log.warning("uplink.puback_lost", packets=error.lost.packets, oldest_s=round(error.lost.oldest_s, 1))
        elif self._connected:
            log.warning("uplink.disconnected", reason=str(error))
        else:
            log.info("uplink.unavailable", reason=str(error), attempts=self._reconnect.failures + 1)

    def _set_connected(self, connected: bool) -> None:
        if connected is not self._connected:
            self._connected = connected
            self._since_us = self._clock.wall_us()

    # ---- one connection

    async def _connection(self) -> None:
        """Run one connection from CONNECT to its end. Always raises the reason for the end."""
        address = broker_address(self._settings, self._identity.tls, self._clock)
        will = Message(self._status_topic, encode_status(self._status(online=False)))
        # The gateway's name is the client id: a half-open connection of our own is replaced at once, instead of
        # publishing its will minutes after we are back.
        session = await MqttSession.open(address, client_id=self._gateway, will=will, pubacks=self._settings.pubacks)
        try:
            await session.subscribe(topics.ack(self._tenant, self._gateway))
            if self._commands is not None:
                await session.subscribe(self._command_topic)
            self._flows.begin()
            self._recovered.begin_connection()
            self._fork.begin()
            self._queried.clear()
            self._set_connected(True)
            self._last_error = None
            log.info("uplink.connected", broker=f"{address.host}:{address.port}", tls=address.tls is not None)
            await self._converse(session)
        finally:
            await self._farewell(session)

    async def _converse(self, session: MqttSession) -> None:
        sender = Sender(
            session,
            self._source,
            self._flows,
            self._recovered,
            self._identity,
            self._clock,
            up=self._up,
            sums=self._sent,
            ack_timeout_s=self._settings.window.ack_timeout_s,
        )
        # Not a TaskGroup: the first end is the reason for all, and should not be wrapped in a group of them.
        tasks = [
            asyncio.ensure_future(each)
            for each in (
                self._listen(session, sender),
                sender.send(),
                sender.resend_overdue(),
                self._publish_status(session),
                self._follow_fork(),
            )
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow_fork(self) -> None:
        """Begin a new epoch, which ends the connection, each time that this store is found to be a restored copy. Never
        returns."""
        while True:
            await self._fork.stay_alone()
            if self._archive is not None and any(window.contested for window in self._flows.windows.values()):
                log.warning("uplink.store_rolled_back", epoch=self._flows.epoch)
                await self._archive.begin_epoch()

    async def _farewell(self, session: MqttSession) -> None:
        """Publish the offline status if the connection is still open, then close the connection."""
        if not session.ended.done():
            try:
                async with asyncio.timeout(FAREWELL_S):
                    await session.publish(self._status_topic, encode_status(self._status(online=False)), retain=True)
            except (TimeoutError, MqttUnavailable, MqttRefused) as error:
                log.info("uplink.farewell_failed", reason=str(error))
        await session.close()

    # ---- receiving

    async def _listen(self, session: MqttSession, sender: Sender) -> None:
        while True:
            message = await session.receive()
            if message.topic == self._command_topic:
                if self._commands is not None and await self._commands.receive(message.payload):
                    self._status_due.set()  # the cloud sends a mission until a status lists it
                continue
            try:
                ack = decode_ack(message.payload)
            except RemoteProtocolError as error:
                log.warning("uplink.answer_unreadable", reason=error.reason)
                continue
            await self._take(ack)
            sender.note_ack()

    async def _take(self, ack: Ack) -> None:
        if self._source.epoch != self._flows.epoch:
            return  # the store was replaced: the connection is about to end
        if await self._recovered.take(ack, self._clock.monotonic_s()):
            return
        lane, window = ack.lane, self._flows.windows[ack.lane]
        agreed, contested = window.agreed, window.contested
        self._conflict = self._conflict or ack.conflict
        match await self._flows.history_of(ack):
            case History.ANOTHER:
                ack = replace(ack, conflict=True)
            case History.UNKNOWN if agreed and lane not in self._queried:
                # Only the response to a status has the hash; a cloud that sends none even then is believed.
                self._queried.add(lane)
                self._status_due.set()
                return
        self._queried.discard(lane)
        outcome = self._flows.apply(ack, self._clock.monotonic_s())
        match outcome.verdict:
            case Verdict.FOREIGN:
                log.info("uplink.answer_foreign", lane=lane.value, epoch=ack.epoch)
            case Verdict.ADVANCED:
                self._delivered = True
                await self._source.acknowledge(ack)
                log.debug("uplink.batch_acked", lane=lane.value, through=ack.through_sequence)
                if outcome.missed:
                    log.warning("uplink.batches_missed", lane=lane.value, batches=len(outcome.missed))
            case Verdict.RESTORED:
                log.warning("uplink.cloud_restored", lane=lane.value, through=ack.through_sequence)
                await self._source.rewind(lane, ack.through_sequence)
            case Verdict.DOUBTED:
                self._status_due.set()
            case Verdict.CONTESTED:
                self._fork.find()
                if not contested:
                    log.error("uplink.lane_contested", lane=lane.value, through=ack.through_sequence)
                    self._status_due.set()
        if not agreed and window.agreed and not window.contested:
            log.info("uplink.marks_agreed", lane=lane.value, through=window.through, last=window.last)

    # ---- publishing the status

    async def _publish_status(self, session: MqttSession) -> None:
        """Publish the status at once, at changes, and periodically. The period is shorter until the cloud has
        acknowledged every lane on this connection."""
        wait = GrowingWait(self._settings.ask_again_s, self._settings.status_every_s)
        while True:
            self._status_due.clear()
            if (fault := session.certificate_fault()) is not None:
                session.end(fault)
            told_s = self._clock.monotonic_s()
            await session.publish(self._status_topic, encode_status(self._status(online=True)), retain=True)
            if not await self._status_due_by(told_s + wait.next_s()):
                if not all(window.agreed for window in self._flows.windows.values()):
                    continue
                await self._status_due_by(told_s + self._settings.status_every_s)
            wait.reset()

    async def _status_due_by(self, deadline_s: float) -> bool:
        """Wait for a status to become due, at most until `deadline_s` (monotonic). Return whether one is due."""
        try:
            async with self._clock.timeout_at(deadline_s):
                await self._status_due.wait()
        except TimeoutError:
            return False
        return True

    def _status(self, *, online: bool) -> Status:
        return Status(
            gateway=self._gateway,
            epoch=self._flows.epoch,
            online=online,
            at_us=self._clock.wall_us(),
            boot_id=self._clock.boot_id,
            software=self._software,
            marks={
                lane: Mark(
                    first=state.first,
                    last=state.last,
                    acked=state.acked,
                    published=self._flows.windows[lane].published.ranges,
                )
                for lane, state in self._source.marks().items()
            },
            store=StoreState.CONTESTED if self._is_contested else self._source.store_state,
            historical=self._connected and self._flows.has_backlog,
            clock_synchronised=self._clock.synchronised,
            missions={} if self._commands is None else self._commands.held(),
        )
