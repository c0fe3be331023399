"""Handling of one paired Bluetooth device over one link, from connecting to its end.

The order is: check the bond (a device that was paired with a bond is not trusted without it); identify the device and
claim its system id; read its description and its clock; subscribe to all values, control points last; start live data;
and fetch the records that the device has stored. From the first subscription on, received values are made durable while
the rest is still being set up, because the stack has confirmed them before the gateway receives them.

An incomplete service, a refused characteristic or a malformed value is recorded in the device's history, and everything
else of the device is still used. The session ends with its link.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from gateway.buffer.ble_devices import PairedDevice
from gateway.live import LiveDevice
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.link_class import LinkClass
from gateway.sessions.devices.presence import DevicePresence
from gateway.sessions.gatt.clock import GattClock
from gateway.sessions.gatt.context import GattContext, ignore
from gateway.sessions.gatt.data_watch import CONTINUOUS, DataWatch, new_patience
from gateway.sessions.gatt.delivery import GattDelivery
from gateway.sessions.gatt.identification import Identification, Reading, pair_again
from gateway.sessions.gatt.intake import GattIntake
from gateway.sessions.gatt.lost_values import LostValues
from gateway.sessions.gatt.notes import GattNotes
from gateway.sessions.gatt.profiles import Step, Usable, lacks
from gateway.sessions.gatt.record_fetching import RecordFetching
from gateway.sessions.gatt.requests import GattRequests
from gateway.sessions.session import Counts
from gateway.transports.ble.connection import Arrival, BleConnection
from gateway.transports.ble.faults import BleGattError, BleLost
from gateway.transports.clock import Clock
from protocols.ble.battery import Battery
from protocols.ble.current_time import CurrentTimeReader
from protocols.ble.uuids import DEVICE_INFORMATION
from protocols.deviation import Deviation
from protocols.ieee11073.association import events
from protocols.waits import GrowingWait

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a session that are created after its device is identified."""

    clock: GattClock
    fetching: RecordFetching
    delivery: GattDelivery


class GattSession:
    """Session of one link to the paired device `paired`. Call `run` once; other tasks of the event loop may call the
    other methods."""

    def __init__(
        self,
        link: BleConnection,
        number: int,
        paired: PairedDevice,
        context: SessionContext,
        gatt: GattContext,
        patience: GrowingWait | None = None,
    ) -> None:
        self.link = link
        self.number = number
        self.counts = Counts()
        self.opened_s = context.clock.monotonic_s()
        self.trouble = ""
        """The fault that an operator has to clear; empty where there is none."""
        self.when_served: Callable[[], Awaitable[None]] = ignore
        """Called once the device is identified and at least one of its values is subscribed."""
        self._paired = paired
        self._context = context
        self._gatt = gatt
        self._patience = patience or new_patience()
        self._presence = DevicePresence(context, link.name, _Linked(self, context.clock))
        self._requests = GattRequests(link, number, context.clock, context.taps)
        self._notes = GattNotes(context.journal, self._presence, self.counts, link.name)
        self._intake = GattIntake(context, gatt.store, gatt.known, self._presence, self.counts)
        self._usable = Usable(link)
        self._interpreters = {profile.service: (profile, profile.interpreter()) for profile in self._usable.profiles}
        self._reading = Reading(self._requests, self._notes, context.clock, paired.address)
        self._lost = LostValues(context, gatt.store, link, self._presence, self.counts)
        self._parts: _Parts | None = None
        self._state = "identifying"
        self._released = False
        self._attributes: list[tuple[int, bytes]] = []

    # ---- `Session`, and the claimant of a system id

    @property
    def device(self) -> LiveDevice | None:
        return self._presence.device

    @property
    def left(self) -> asyncio.Event:
        return self._presence.left

    @property
    def state(self) -> str:
        return "ended" if self.link.ended.is_set() else self._state

    @property
    def last_byte_s(self) -> float:
        return self._requests.last_byte_s

    @property
    def link_class(self) -> LinkClass:
        return LinkClass.BONDED if self.link.bonded else LinkClass.PAIRED

    def update_verification(self) -> None:
        self._presence.update_verification()

    async def release(self) -> None:
        """Abort the running transfer of records, wait for the device's response, and close the link."""
        self._released = True
        if self._parts is not None and not self.link.ended.is_set():
            await self._parts.fetching.stop()
        await self.link.close()

    async def yield_id(self) -> None:
        device = self._presence.release_id()
        await self.link.close()
        if device is not None:
            await self._presence.record_takeover(device)

    # ---- the session

    async def run(self) -> None:
        """Run the session until its link has ended, and close the link in any case. Raises any error of the store
        except StoreFull."""
        try:
            await self._serve()
        except* BleLost as lost:
            log.info("session.link_lost", link=self.link.name, why=str(lost.exceptions[0]))
        finally:
            await asyncio.shield(self._end())

    async def _serve(self) -> None:
        if self._paired.bonded and not self.link.bonded:
            self.trouble = (
                "the Bluetooth stack has lost its keys, so nothing proves that it is the device that was "
                f"paired; {pair_again(self._paired.address)}"
            )
            return
        if why := lacks(self.link):
            self.trouble = why
            return
        identification = Identification(self._context, self._gatt, self.link, self._paired, self._presence, self._notes)
        system_id = await identification.identify(self._reading, self._usable)
        self.trouble = identification.trouble
        if system_id is not None:
            self._parts = self._build_parts(system_id)
            await self._describe(self._parts)
            await self._stream(self._parts)

    def _build_parts(self, system_id: str) -> _Parts:
        context, gatt, usable = self._context, self._gatt, self._usable
        clock = GattClock(
            context,
            self._requests,
            system_id,
            clocks=usable.clocks,
            may_be_set=usable.clock_may_be_set,
            keeps_measurements=usable.keeps_measurements,
            look=self._look,
            every_s=gatt.clock_read_every_s,
        )
        fetching = RecordFetching(
            self.link,
            self._requests,
            usable.stores,
            system_id,
            marks=gatt.marks,
            store=gatt.store,
            rules=gatt.rules,
            clock=context.clock,
            journal=context.journal,
        )
        delivery = GattDelivery(
            self._interpreters,
            intake=self._intake,
            notes=self._notes,
            gatt_clock=clock,
            fetching=fetching,
            clock=context.clock,
        )
        return _Parts(clock, fetching, delivery)

    async def _describe(self, parts: _Parts) -> None:
        """Read the device's description and its clocks, and set its clock where the policy allows it."""
        self._state = "preparing"
        for sentence in self._usable.missing:
            await self._notes.record_deviation(Deviation(sentence, "", b""), self._context.clock.wall_us())
        for step in self._usable.reads():
            if step.profile.service != DEVICE_INFORMATION:
                await self._look(step.profile.service, step.characteristic)
        await self._update_attributes()
        await parts.clock.apply_setting()

    async def _look(self, service: int, characteristic: int) -> None:
        """Read a characteristic and interpret its value. If the value has a clock time, pass the time to the estimate
        of the device's clock. Raises BleLost."""
        profile, interpreter = self._interpreters[service]
        value = await self._reading.read(Step(profile, characteristic))
        if value is None or self._parts is None:
            return
        for shown in await self._parts.delivery.interpret_read(profile, interpreter, characteristic, value.octets):
            await self._parts.clock.learn_reading(shown.time, value.asked_s, value.answered_s)

    async def _update_attributes(self) -> None:
        """Record and report the battery level and the clock of the device where they have changed."""
        attributes = [
            each
            for _, interpreter in self._interpreters.values()
            if isinstance(interpreter, Battery | CurrentTimeReader)
            for each in interpreter.attributes
        ]
        if attributes == self._attributes:
            return
        self._attributes = attributes
        if (history := self._presence.recorder.history) is not None:
            history.update_attributes(attributes, self._context.clock.wall_us())
        await self._presence.update_attributes(attributes)

    # ---- streaming

    async def _stream(self, parts: _Parts) -> None:
        """Subscribe, fetch records, and deliver values. Return when the link has ended and all received values are
        delivered."""
        async with asyncio.TaskGroup() as group:
            requesting = group.create_task(self._send_requests(parts))
            try:
                await self._deliver_arrivals(parts)
            finally:
                requesting.cancel()

    async def _deliver_arrivals(self, parts: _Parts) -> None:
        while arrivals := await self._requests.arrivals():
            await self._deliver(parts, arrivals)
            await self._lost.record()
            await self._update_attributes()

    async def _deliver(self, parts: _Parts, arrivals: Sequence[Arrival]) -> None:
        """Make received values durable, even when cancelled meanwhile, because the stack has confirmed them."""
        if self._lost.is_pending:
            parts.fetching.mark_incomplete()
        self._lost.in_hand = len(arrivals)
        delivering = asyncio.ensure_future(parts.delivery.deliver(arrivals))
        try:
            await asyncio.shield(delivering)
        except asyncio.CancelledError:
            await delivering
            self._lost.in_hand = 0
            raise
        self._lost.in_hand = 0

    async def _drain(self, parts: _Parts) -> None:
        while arrivals := self._requests.pending():
            await self._deliver(parts, arrivals)

    async def _send_requests(self, parts: _Parts) -> None:
        """Subscribe to the device's values and send further requests until the link ends. The end of the link does not
        stop the delivery of values that were received before."""
        try:
            await self._prepare(parts)
        except* BleLost:
            log.debug("session.requesting_ended", link=self.link.name)

    async def _prepare(self, parts: _Parts) -> None:
        streams = await self._subscribe()
        if streams is None:
            return
        await self.when_served()
        for step, octets in self._usable.starts():
            try:
                await self._requests.write(step.profile.service, step.characteristic, octets)
            except BleGattError as error:
                await self._reading.record_refusal(step, error)
        clock = self._context.clock
        watch = DataWatch(streams=streams, patience=self._patience, now_s=clock.monotonic_s())
        self._state = "serving"
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.fetching.run())
            group.create_task(parts.clock.run())
            group.create_task(self._watch_data(watch))

    async def _subscribe(self) -> bool | None:
        """Subscribe to all usable characteristics. Return whether one of them streams, or None after ending the link
        because no measurement could be subscribed."""
        done: list[Step] = []
        keys = False
        for step in self._usable.subscriptions():
            try:
                await self._requests.subscribe(step.profile.service, step.characteristic)
            except BleGattError as error:
                keys = keys or error.needs_keys
                await self._reading.record_refusal(step, error)
            else:
                done.append(step)
        if not any(step.measures for step in done):
            why = f"it wants an encrypted link; {pair_again(self._paired.address)}" if keys else ""
            self.trouble = why or "it refused every subscription"
            self.link.end(self.trouble)
            return None
        return any(step.characteristic in CONTINUOUS for step in done)

    async def _watch_data(self, watch: DataWatch) -> None:
        clock, quiet_s = self._context.clock, 0.0
        while True:
            heard_s = max(self.link.last_arrival_s, quiet_s)
            due_s = watch.due_s(heard_s)
            if clock.monotonic_s() < due_s:
                await clock.sleep_until(due_s)
            elif watch.streams:
                silent_s = clock.monotonic_s() - heard_s
                watch.end_link(heard_s)
                self.link.end(f"its stream of values stopped {silent_s:.0f} s ago")
                return
            else:
                if (step := self._reading.last) is not None:
                    await self._reading.read(step)  # without a response this read ends the link
                quiet_s = clock.monotonic_s()

    # ---- the end

    async def _end(self) -> None:
        """Store the remaining values before closing the link, and record the end of the session. Closing may take the
        Bluetooth stack twelve seconds, and a gateway that is stopping has less time."""
        try:
            await self._write_rest()
        finally:
            await self.link.close()
        await self._write_rest()  # values that arrived while the stack closed the link
        ended = events.Released() if self._released else events.LinkLost()
        self._presence.recorder.record(ended, self._context.clock.wall_us())
        counts, window = self.counts, self._intake.window
        figures = {"reports": counts.reports, "observations": counts.observations, "refused": counts.refused}
        if window.count:
            figures |= {"indications": window.count, "window_ms_max": window.us_max // 1000}
        await self._presence.leave(self.trouble or self.link.why, figures)

    async def _write_rest(self) -> None:
        """Store the queued values, the values of which only the first of two notifications arrived, and the number of
        lost values."""
        parts = self._parts
        if parts is None:
            return
        try:
            await self._drain(parts)
            await parts.delivery.flush()
        finally:
            await self._lost.record()


class _Linked:
    """A GATT session as the claimant of its device's system id (`claims.Claimant`).

    The device counts as active as long as the link exists. Silence does not mean that the link is dead: a radio link is
    supervised from both ends, and a quiet thermometer must not lose its id to another device with the same id.
    """

    def __init__(self, session: GattSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    @property
    def left(self) -> asyncio.Event:
        return self._session.left

    @property
    def last_byte_s(self) -> float:
        return self._session.last_byte_s if self._session.link.ended.is_set() else self._clock.monotonic_s()

    @property
    def link_class(self) -> LinkClass:
        return self._session.link_class

    async def yield_id(self) -> None:
        await self._session.yield_id()
