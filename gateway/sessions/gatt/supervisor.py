"""Connect every paired Bluetooth device, and run its session again and again while it is paired.

No other device is ever connected.

Each paired device has one task, which waits in `central.connect` until the device advertises and a connection is free.
So a device that is switched off needs no resources. After a lost link the next connection is made at once. After a
session that ended as soon as it began, there is a growing delay, half of it random, so that devices which failed
together do not return together.

Where only an operator can help (a bond that one side has lost, a second device with the same system id), the device is
tried rarely and gives no data. The events, `ble list` and the status show the remedy until the device works again. When
an operator pairs the device again or removes it, its task changes at once.

A session that raises is a bug or a failing disk: the error is recorded, and the device is connected again. A failed
session never stops another device or the gateway.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from gateway.buffer.ble_devices import PairedDevice
from gateway.sessions.gatt.data_watch import new_patience
from gateway.sessions.gatt.profiles import lacks
from gateway.sessions.gatt.session import GattSession
from gateway.sessions.gatt.trusted_devices import TrustedDevices
from gateway.sessions.journal import Journal
from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import BleUnreachable
from gateway.transports.clock import Clock
from protocols.waits import GrowingWait

WAIT_S_MIN, WAIT_S_MAX = 0.25, 30.0
SERVED_WAIT_S_MAX = 2.0
"""Longest delay for a device whose session has worked: its values are needed within seconds after each lost link."""
LASTED_S = 10.0
"""Run time after which a session was healthy: the next failure counts as a first one."""
PERSON_S = 60.0
"""Interval between attempts on a device that needs an operator. Pairing it again ends the wait."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _End:
    """End of one attempt to serve a device. `trouble`: the fault that ended the attempt, or empty. `for_a_person`: only
    an operator can clear the fault. `served`: the device was identified and subscribed."""

    trouble: str = ""
    for_a_person: bool = False
    served: bool = False


NewSession = Callable[[BleConnection, int, PairedDevice, GrowingWait], GattSession]


class BleSupervisor:
    """Supervisor of the paired devices. Call `release_all` before cancelling `run`. `number` returns the next link
    number of the whole gateway; `chance` returns a random number in [0, 1) for the delays."""

    def __init__(
        self,
        central: BleCentral,
        trust: TrustedDevices,
        new_session: NewSession,
        number: Callable[[], int],
        clock: Clock,
        journal: Journal,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._central = central
        self._trust = trust
        self._new_session = new_session
        self._number = number
        self._clock = clock
        self._journal = journal
        self._chance = chance
        self._changed = trust.wait_for_change()
        self._sessions: dict[int, GattSession] = {}
        self._tasks: dict[PairedDevice, asyncio.Task[None]] = {}
        self._troubles: dict[str, str] = {}
        self._mended: set[str] = set()
        """Addresses of devices that an operator has just paired again; the next session shows whether this helped."""
        self._stop = asyncio.Event()

    @property
    def sessions(self) -> Sequence[GattSession]:
        """The running sessions, oldest first."""
        return list(self._sessions.values())

    @property
    def tasks(self) -> int:
        return len(self._tasks)

    def trouble_of(self, address: str) -> str:
        """Return the present fault of the device at `address`, as a sentence for the operator; "" where it has none."""
        return self._troubles.get(address.upper(), "")

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stop.is_set():
                    self._changed.clear()
                    await self._follow(group)
                    await self._changed.wait()
        finally:
            self._tasks.clear()

    async def release_all(self) -> None:
        """Connect no further devices and end every session. `run` returns after the sessions have ended."""
        self._stop.set()
        self._changed.set()
        serving = {session.link.address for session in self._sessions.values()}
        for device, task in self._tasks.items():
            if device.address not in serving:
                task.cancel()
        await asyncio.gather(*(session.release() for session in self.sessions), return_exceptions=True)

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        """Run one task for each device that may be connected now: start the missing tasks, and cancel those of other
        devices. A device that was paired again gets a new task."""
        wanted = {} if self._stop.is_set() else {_as_paired(device): device for device in self._trust.devices()}
        ending = [] if self._stop.is_set() else [each for each in self._tasks if each not in wanted]
        for device in ending:
            self._tasks[device].cancel()
        if ending:
            await asyncio.wait([self._tasks[device] for device in ending])
        for device in ending:
            del self._tasks[device]
            if self._troubles.pop(device.address, None) is not None:
                self._mended.add(device.address)
        for key, device in wanted.items():
            if key not in self._tasks or self._tasks[key].done():
                self._tasks[key] = group.create_task(self._serve(device.address))

    def _paired(self, address: str) -> PairedDevice | None:
        return next((each for each in self._trust.devices() if each.address == address), None)

    async def _serve(self, address: str) -> None:
        """Connect one device again and again, for as long as it is paired."""
        patience, wait = new_patience(), GrowingWait(WAIT_S_MIN, WAIT_S_MAX)
        while not self._stop.is_set() and (paired := self._paired(address)) is not None:
            began_s = self._clock.monotonic_s()
            try:
                end = await self._once(paired, patience)
            except Exception as error:
                log.exception("session.failed", link=f"ble:{address}")
                await self._journal.record("session.failed", None, link=f"ble:{address}", error=type(error).__name__)
                end = _End()
            if end.trouble:
                await self._record_trouble(paired, end.trouble)
            if self._stop.is_set():
                return
            now_s = self._clock.monotonic_s()
            if now_s - began_s >= LASTED_S:
                wait.reset()
            wait_s = wait.next_s(SERVED_WAIT_S_MAX if end.served else WAIT_S_MAX)
            pause_s = PERSON_S if end.for_a_person else wait_s
            await self._clock.sleep_until(now_s + pause_s * (0.5 + 0.5 * self._chance()))

    async def _once(self, paired: PairedDevice, patience: GrowingWait) -> _End:
        """Make one connection to the device `paired`, and run a session on this connection to its end."""
        try:
            link = await self._central.connect(paired.address, lacks)
        except BleUnreachable as error:
            log.info("link.not_made", link=f"ble:{paired.address}", why=str(error))
            return _End(str(error), for_a_person=error.bond_lost)
        number = self._number()
        log.info("link.opened", link=link.name, connection=number)
        try:
            session = self._new_session(link, number, paired, patience)
            served = asyncio.Event()
            session.when_served = partial(self._clear_trouble, paired, served)
            self._sessions[number] = session
            if self._stop.is_set():
                await link.close()
            await session.run()
            return _End(session.trouble, for_a_person=bool(session.trouble), served=served.is_set())
        finally:
            self._sessions.pop(number, None)
            await asyncio.shield(link.close())
            log.info("link.closed", link=link.name, connection=number)

    async def _clear_trouble(self, paired: PairedDevice, served: asyncio.Event) -> None:
        served.set()
        await self._record_trouble(paired, "")

    async def _record_trouble(self, paired: PairedDevice, trouble: str) -> None:
        """Record a fault when it begins, when it changes, and when it is cleared (`trouble` empty)."""
        mended = paired.address in self._mended
        self._mended.discard(paired.address)
        if trouble == self._troubles.get(paired.address, "") and not (mended and not trouble):
            return
        if trouble:
            self._troubles[paired.address] = trouble
        else:
            self._troubles.pop(paired.address, None)
        name = "ble.device_in_trouble" if trouble else "ble.device_well_again"
        await self._journal.record(name, paired.system_id or None, link=f"ble:{paired.address}", why=trouble or None)


def _as_paired(device: PairedDevice) -> PairedDevice:
    """Return the device with only the fields of its pairing, so that a new system id does not restart the device's
    task."""
    return PairedDevice(
        address=device.address,
        name=device.name,
        system_id="",
        bonded=device.bonded,
        paired_us=device.paired_us,
        services=device.services,
    )
