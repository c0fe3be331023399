"""One link's conversation with one Bluetooth device that was paired, from connecting to its end.

In order: the bond (what was paired with one is not believed without), who it is (Device Information), its id claimed as
every device's, what it says of itself, its clock, then what it measures: everything is subscribed, control points last,
live data is started, and what it stored meanwhile is fetched. From the first subscription on, what arrives is made
durable while the rest is still being set up: a stack has confirmed it before we see it.

A service that makes no sense, a characteristic that is refused, a value that breaks its form: each is told in the
device's report and the rest of the device serves. What ends the session is the end of its link, and `trouble` says
where a person has to do something.

Does not decide which device may connect (`pairing`) or when it is connected again (`ble_supervisor`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from gateway.buffer.ble_devices import PairedDevice
from gateway.buffer.errors import StoreFull
from gateway.buffer.losses import Loss
from gateway.live import LiveDevice
from gateway.sessions.association.session import Surroundings
from gateway.sessions.devices.claims import Verdict
from gateway.sessions.devices.link_class import LinkClass
from gateway.sessions.devices.presence import Attendance
from gateway.sessions.gatt.clock import GattClock
from gateway.sessions.gatt.data_watch import CONTINUOUS, DataWatch, Patience
from gateway.sessions.gatt.delivery import GattDelivery
from gateway.sessions.gatt.intake import GattIntake
from gateway.sessions.gatt.known_measurements import KnownMeasurements
from gateway.sessions.gatt.notes import GattNotes
from gateway.sessions.gatt.profiles import Step, Usable, lacks, name_of
from gateway.sessions.gatt.record_fetching import FetchRules, MarkStore, RecordFetching, RecordMarks
from gateway.sessions.gatt.requests import GattLink, GattTalk, ReadValue
from gateway.sessions.session import Counts
from gateway.transports.ble.connection import Arrival
from gateway.transports.ble.faults import BleGattError, BleLost
from gateway.transports.clock import Clock, instant_of
from protocols.ble.battery import Battery
from protocols.ble.device_information import DeviceInformation, system_id_of
from protocols.ble.uuids import BATTERY, DEVICE_INFORMATION
from protocols.deviation import Deviation
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.association import events, manager_events
from protocols.ieee11073.dim.identity import identity_of
from protocols.uplink.lanes import Lane

log = structlog.get_logger()


def pair_again(address: str) -> str:
    """The way out of a bond that one side has lost."""
    return f"pair it again: argus-gateway ble pair {address}"


async def _nobody(*_: str) -> None:
    """Who is told where nobody asked to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GattSurroundings:
    """What every GATT session of this gateway shares, beside what all sessions do. `met` is told (address, system id)
    of a device that has said who it is."""

    store: MarkStore
    marks: RecordMarks = field(default_factory=RecordMarks)
    known: KnownMeasurements = field(default_factory=KnownMeasurements)
    rules: FetchRules = field(default_factory=FetchRules)
    clock_read_every_s: float = 1800.0
    met: Callable[[str, str], Awaitable[None]] = _nobody


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a session needs once it knows whose values it takes."""

    clock: GattClock
    fetching: RecordFetching
    delivery: GattDelivery


class GattSession:
    """Run once with `run`; the rest may be called from other tasks of the same loop. `paired` is who it should be."""

    def __init__(
        self,
        link: GattLink,
        number: int,
        paired: PairedDevice,
        around: Surroundings,
        gatt: GattSurroundings,
        patience: Patience | None = None,
    ) -> None:
        self.link = link
        self.number = number
        self.counts = Counts()
        self.opened_s = around.clock.monotonic_s()
        self.trouble = ""
        """What a person has to do something about; empty where nothing."""
        self.when_served: Callable[[], Awaitable[None]] = _nobody
        """Called once it is known whose values are taken, and the device lets us take them."""
        self._paired = paired
        self._around = around
        self._gatt = gatt
        self._patience = patience or Patience()
        self._here = Attendance(around, link.name, _Linked(self, around.clock))
        self._talk = GattTalk(link, number, around.clock, around.taps)
        self._notes = GattNotes(around.journal, self._here, self.counts, link.name)
        self._intake = GattIntake(around, gatt.store, gatt.known, self._here, self.counts)
        self._usable = Usable(link)
        self._interpreters = {profile.service: (profile, profile.interpreter()) for profile in self._usable.profiles}
        self._readable: Step | None = None
        """What the device has answered to a read, for asking whether it is still there."""
        self._parts: _Parts | None = None
        self._dropped = 0
        self._in_hand = 0
        """Values that were taken from the link and are not durable yet."""
        self._drops_reported_us = around.clock.wall_us()
        """Up to when lost values were counted."""
        self._state = "identifying"
        self._released = False

    # ---- Session, and what a claimant needs

    @property
    def device(self) -> LiveDevice | None:
        return self._here.device

    @property
    def left(self) -> asyncio.Event:
        """Set while no device is here."""
        return self._here.left

    @property
    def state(self) -> str:
        return "ended" if self.link.ended.is_set() else self._state

    @property
    def last_octet_s(self) -> float:
        return self._talk.last_octet_s

    @property
    def link_class(self) -> LinkClass:
        return LinkClass.BONDED if self.link.bonded else LinkClass.PAIRED

    def judge_again(self) -> None:
        """An operator has accepted the device, or taken that back."""
        self._here.judge_again()

    async def release(self) -> None:
        """End what is under way in order, then the link."""
        self._released = True
        if self._parts is not None and not self.link.ended.is_set():
            await self._parts.fetching.stop()
        await self.link.close()

    async def yield_id(self) -> None:
        device = self._here.give_up()
        await self.link.close()
        if device is not None:
            await self._here.given_up(device)

    # ---- the session

    async def run(self) -> None:
        """Until the link has ended. Raises what the store raises beyond StoreFull; the link is closed in any case."""
        try:
            await self._serve()
        except* BleLost as lost:
            log.info("session.link_lost", link=self.link.name, why=str(lost.exceptions[0]))
        finally:
            await asyncio.shield(self._end())

    async def _serve(self) -> None:
        if self._paired.bonded and not self.link.bonded:
            self.trouble = (
                "the Bluetooth stack holds no keys of it any more, so nothing proves that it is the device that was "
                f"paired; {pair_again(self._paired.address)}"
            )
            return
        if why := lacks(self.link):
            self.trouble = why
            return
        system_id = await self._identified()
        if system_id is not None:
            self._parts = self._made(system_id)
            await self._describe(self._parts)
            await self._stream(self._parts)

    async def _identified(self) -> str | None:
        """Its system id; None: it is not ours to serve."""
        information = DeviceInformation()
        for step in self._usable.reads():
            if step.profile.service != DEVICE_INFORMATION:
                break
            if (value := await self._read(step)) is not None:
                try:
                    information.learn(step.characteristic, value.octets)
                except RemoteProtocolError as error:
                    await self._notes.malformed(name_of(*step), error, value.octets, self._around.clock.wall_us())
        system_id = system_id_of(information.system_id_bytes, self.link.address)
        name = system_id.hex()
        if not self._paired.bonded and self._paired.system_id not in ("", name):
            self.trouble = (
                "it says that it is another device than the one that was paired, and no bond proves either; "
                f"{pair_again(self._paired.address)}"
            )
            return None
        verdict = await self._here.claim(name)
        if verdict is not Verdict.HELD:
            self.trouble = _refused_claim(name, verdict)
            await self._here.refused(name, verdict, self._around.clock.wall_us())
            return None
        await self._here.arrived(name, instant_of(self._around.clock), bonded=self.link.bonded)
        identity = identity_of(system_id, tuple(AvaType(*each) for each in information.attributes))
        instant = instant_of(self._around.clock)
        self._here.keeping.noted(manager_events.MdsRead(identity), instant.wall_us)
        await self._here.identified(identity, instant)
        await self._gatt.met(self._paired.address, name)
        return name

    def _made(self, system_id: str) -> _Parts:
        around, gatt, usable = self._around, self._gatt, self._usable
        clock = GattClock(
            around,
            self._talk,
            system_id,
            clocks=usable.clocks,
            may_be_set=usable.clock_may_be_set,
            keeps_measurements=usable.keeps_measurements,
            look=self._look,
            every_s=gatt.clock_read_every_s,
        )
        fetching = RecordFetching(
            self.link,
            self._talk,
            usable.stores,
            system_id,
            marks=gatt.marks,
            store=gatt.store,
            rules=gatt.rules,
            clock=around.clock,
            journal=around.journal,
        )
        delivery = GattDelivery(
            self._interpreters,
            intake=self._intake,
            notes=self._notes,
            gatt_clock=clock,
            fetching=fetching,
            clock=around.clock,
        )
        return _Parts(clock, fetching, delivery)

    async def _describe(self, parts: _Parts) -> None:
        """What it says of itself, its clocks among it, and its clock set where policy wants that."""
        self._state = "preparing"
        for sentence in self._usable.missing:
            await self._notes.deviated(Deviation(sentence, "", b""), self._around.clock.wall_us())
        for step in self._usable.reads():
            if step.profile.service != DEVICE_INFORMATION:
                await self._look(step.profile.service, step.characteristic)
        _, battery = self._interpreters.get(BATTERY, (None, None))
        if isinstance(battery, Battery) and self._here.keeping.report is not None:
            self._here.keeping.report.changed(battery.attributes, self._around.clock.wall_us())
        await parts.clock.obey()

    async def _look(self, service: int, characteristic: int) -> None:
        """Read a value and tell its interpreter; a clock that it shows was asked. Raises BleLost."""
        profile, interpreter = self._interpreters[service]
        value = await self._read(Step(profile, characteristic))
        if value is None or self._parts is None:
            return
        for shown in await self._parts.delivery.described(profile, interpreter, characteristic, value.octets):
            await self._parts.clock.read(shown.time, value.asked_s, value.answered_s)

    async def _read(self, step: Step) -> ReadValue | None:
        """None: refused, which is told."""
        try:
            value = await self._talk.read(step.profile.service, step.characteristic)
        except BleGattError as error:
            await self._refused(step, error)
            return None
        self._readable = step
        return value

    async def _refused(self, step: Step, error: BleGattError) -> None:
        why = f"; {pair_again(self._paired.address)}" if error.needs_keys else ""
        sentence = f"{name_of(*step)}: {error}{why}"
        await self._notes.deviated(Deviation(sentence, "", b""), self._around.clock.wall_us())

    # ---- streaming

    async def _stream(self, parts: _Parts) -> None:
        """Subscribe, fetch, and take what comes until the link has ended and all of it is taken."""
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(self._ask(parts))
            try:
                await self._take_arrivals(parts)
            finally:
                asking.cancel()

    async def _take_arrivals(self, parts: _Parts) -> None:
        while arrivals := await self._talk.arrivals():
            if self.link.dropped != self._dropped:
                parts.fetching.missed()
            await self._deliver(parts, arrivals)
            await self._tell_drops()

    async def _deliver(self, parts: _Parts, arrivals: Sequence[Arrival]) -> None:
        """Make what came durable, also when the session is cancelled meanwhile: the stack has confirmed it."""
        self._in_hand = len(arrivals)
        delivering = asyncio.ensure_future(parts.delivery.take(arrivals))
        try:
            await asyncio.shield(delivering)
        except asyncio.CancelledError:
            await delivering
            self._in_hand = 0
            raise
        self._in_hand = 0

    async def _drain(self, parts: _Parts) -> None:
        """Deliver all arrivals of the link that were not delivered yet."""
        while arrivals := self._talk.waiting():
            await self._deliver(parts, arrivals)

    async def _tell_drops(self) -> None:
        """Count values that the stack confirmed and that are lost: they came faster than we took them, or the session
        failed with them in its hands. A notification may hold several values; it counts once."""
        dropped, self._dropped = self.link.dropped - self._dropped, self.link.dropped
        dropped, self._in_hand = dropped + self._in_hand, 0
        now_us = self._around.clock.wall_us()
        since_us, self._drops_reported_us = min(self._drops_reported_us, now_us), now_us
        if dropped <= 0:
            return
        with suppress(StoreFull):  # then the buffer counts it once it has room
            await self._gatt.store.record_loss([Loss(Lane.NUMERIC, dropped, since_us, now_us)])
        self.counts.lost += dropped
        self._here.keeping.noted(manager_events.ReportsLost(dropped, None), self._around.clock.wall_us())
        await self._around.journal.write(
            "reports.lost", self._here.system_id, count=dropped, after=None, link=self.link.name
        )

    async def _ask(self, parts: _Parts) -> None:
        """Everything that is asked of the device while its values are taken. A link that ends meanwhile ends only this:
        what has arrived over it is still taken."""
        try:
            await self._prepare(parts)
        except* BleLost:
            log.debug("session.asking_ended", link=self.link.name)

    async def _prepare(self, parts: _Parts) -> None:
        streams = await self._subscribe()
        if streams is None:
            return
        await self.when_served()
        for step, octets in self._usable.starts():
            try:
                await self._talk.write(step.profile.service, step.characteristic, octets)
            except BleGattError as error:
                await self._refused(step, error)
        clock = self._around.clock
        watch = DataWatch(streams=streams, patience=self._patience, now_s=clock.monotonic_s())
        self._state = "serving"
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.fetching.run())
            group.create_task(parts.clock.run())
            group.create_task(self._watch_data(watch))

    async def _subscribe(self) -> bool | None:
        """Whether a stream of values was promised; None: nothing that measures could be subscribed, and the link was
        ended."""
        done: list[Step] = []
        keys = False
        for step in self._usable.subscriptions():
            try:
                await self._talk.subscribe(step.profile.service, step.characteristic)
            except BleGattError as error:
                keys = keys or error.needs_keys
                await self._refused(step, error)
            else:
                done.append(step)
        if not any(step.measures for step in done):
            why = f"it wants an encrypted link; {pair_again(self._paired.address)}" if keys else ""
            self.trouble = why or "it refused every subscription"
            self.link.end(self.trouble)
            return None
        return any(step.characteristic in CONTINUOUS for step in done)

    async def _watch_data(self, watch: DataWatch) -> None:
        """End a link over which nothing comes any more."""
        clock, quiet_s = self._around.clock, 0.0
        while True:
            heard_s = max(self.link.last_arrival_s, quiet_s)
            due_s = watch.due_s(heard_s)
            if clock.monotonic_s() < due_s:
                await clock.sleep_until(due_s)
            elif watch.streams:
                silent_s = clock.monotonic_s() - heard_s
                watch.given_up(heard_s)
                self.link.end(f"it had promised values and sent none for {silent_s:.0f} s")
                return
            else:
                if (step := self._readable) is not None:
                    await self._read(step)  # where it does not answer, the link ends with that
                quiet_s = clock.monotonic_s()

    # ---- the end

    async def _end(self) -> None:
        """First write, then close: closing may take the stack twelve seconds, and a gateway that stops has less."""
        try:
            await self._write_rest()
        finally:
            await self.link.close()
        await self._write_rest()  # what came while the stack ended the link
        ended = events.Released() if self._released else events.LinkLost()
        self._here.keeping.noted(ended, self._around.clock.wall_us())
        counts, window = self.counts, self._intake.window
        figures = {"reports": counts.reports, "observations": counts.observations, "refused": counts.refused}
        if window.count:
            figures |= {"indications": window.count, "window_ms_max": window.us_max // 1000}
        await self._here.leave(self.trouble or self.link.why, figures)

    async def _write_rest(self) -> None:
        """Write the remaining arrivals, values that waited for their other half, and the count of lost values."""
        parts = self._parts
        if parts is None:
            return
        try:
            await self._drain(parts)
            await parts.delivery.settle()
        finally:
            await self._tell_drops()


def _refused_claim(system_id: str, verdict: Verdict) -> str:
    if verdict is Verdict.WEAKER_LINK:
        return (
            f"the system id {system_id} belongs to a device that this gateway knows by a cable or by a bond, and this "
            "link proves nothing; pair the device with a bond, or run: argus-gateway devices accept " + system_id
        )
    return (
        f"a device with the same system id {system_id} is connected on another link, and their values could not be "
        "distinguished: use only one of them"
    )


class _Linked:
    """The session as a claimant of its system id (`claims.Claimant`). Silence is no sign of death here: a radio link
    is watched from both ends, and a thermometer that has nothing to say must not lose its id to a namesake."""

    def __init__(self, session: GattSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    @property
    def left(self) -> asyncio.Event:
        return self._session.left

    @property
    def last_octet_s(self) -> float:
        return self._session.last_octet_s if self._session.link.ended.is_set() else self._clock.monotonic_s()

    @property
    def link_class(self) -> LinkClass:
        return self._session.link_class

    async def yield_id(self) -> None:
        await self._session.yield_id()
