"""Clocks of a GATT device: their times are read, and Current Time is set where the policy allows it.

`ClockKeeping` keeps clocks as for 11073-20601; only the requests to the device differ. A time that was read is known
within the round trip of the request. A time in a notification is known only as well as the time in a live report.

A device may refuse to have its Current Time written although the characteristic's properties allow it (`may_be_set`).
The write is then tried again in the device's next connection at the earliest, with growing pauses (`clocks/policy`).
Device Time and Elapsed Time are not set, because the meaning of writing them is not confirmed.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from gateway.sessions.clocks.keeping import ClockKeeping
from gateway.sessions.context import SessionContext
from gateway.sessions.gatt.requests import GattRequests
from gateway.transports.ble.faults import BleGattError
from gateway.transports.clock import instant_of
from protocols.ble.current_time import CURRENT_TIME, current_time_at, encode_current_time
from protocols.ble.uuids import CURRENT_TIME as CURRENT_TIME_SERVICE
from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError
from protocols.ieee11073.association import events, manager_events
from protocols.ieee11073.association.clock_setting import WallClock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class GattClock:
    """The clocks of the device in one GATT session. `look` reads the characteristic of a clock and passes the time to
    `learn_reading`."""

    def __init__(
        self,
        context: SessionContext,
        requests: GattRequests,
        system_id: str,
        *,
        clocks: tuple[tuple[int, int], ...],
        may_be_set: bool,
        keeps_measurements: bool,
        look: Callable[[int, int], Awaitable[None]],
        every_s: float,
    ) -> None:
        self.settable = TimeKind.ABSOLUTE if may_be_set else None
        self._context = context
        self._requests = requests
        self._system_id = system_id
        self._clocks = clocks
        self._look = look
        self._every_s = every_s
        self._wanted: WallClock | None = None
        self._keeping = ClockKeeping(context, self)
        self._keeping.begin(system_id, keeps_measurements=keeps_measurements)

    def set_time(self, wall: WallClock, now_s: float) -> None:
        """Record that the clock policy wants the device's clock set to `wall`; `apply_setting` writes it later.
        Implements `ClockCommands`. Raises LocalProtocolError if the clock may not be set."""
        if self.settable is None:
            raise LocalProtocolError("the device has refused to have its clock set")
        self._wanted = wall

    async def learn_reading(self, time: DeviceTime, asked_s: float, answered_s: float) -> None:
        """Learn a clock's time from a read. `asked_s`, `answered_s`: monotonic times of request and response."""
        await self._follow(manager_events.ClockRead((time,), asked_s, answered_s))

    def learn_notification(self, time: DeviceTime, received_s: float) -> None:
        """Learn a clock's time from a notification that was received at monotonic `received_s`."""
        if (local_us := time.local_us()) is not None:
            clock = self._context.clocks.clock(self._system_id, time.kind)
            clock.observe(local_us, round(received_s * 1_000_000), live=True)

    async def run(self) -> None:
        """Read the device's clocks at intervals and set its clock where due, until cancelled. Return at once if the
        device has no clock."""
        while self._clocks:
            await self._context.clock.sleep_until(self._context.clock.monotonic_s() + self._every_s)
            for service, characteristic in self._clocks:
                await self._look(service, characteristic)
            await self.apply_setting()

    async def apply_setting(self) -> None:
        """Write the device's Current Time if the clock policy has decided to set the clock, and read Current Time
        again. Raises BleLost."""
        wall, self._wanted = self._wanted, None
        if wall is None:
            return
        sent_s = self._context.clock.monotonic_s()
        time = wall.time(TimeKind.ABSOLUTE, sent_s)
        local_us = round(sent_s * 1_000_000) + wall.utc_offset_us + wall.zone_min * 60_000_000
        octets = encode_current_time(current_time_at(_EPOCH + timedelta(microseconds=local_us)))
        await self._follow(manager_events.ClockCommanded(time, sent_s))
        try:
            answered_s = await self._requests.write(CURRENT_TIME_SERVICE, CURRENT_TIME, octets)
        except BleGattError as error:
            self.settable = None
            await self._follow(manager_events.ClockNotSet(time, str(error)))
        else:
            await self._follow(manager_events.ClockSet(time, sent_s, answered_s))
        await self._look(CURRENT_TIME_SERVICE, CURRENT_TIME)

    async def _follow(self, event: events.Event) -> None:
        await self._keeping.follow(event, self._system_id, instant_of(self._context.clock))
