"""The scanner of an adapter: list advertising devices, and restart a scan that has silently failed.

**One scanner in the process**, because BlueZ refuses a second one with InProgress. It is **active**, because passive
scans return no results on many stacks, and unfiltered, because a device need not advertise its services. It is **paused
while a link is made**, because scanning and connecting at once freezes some adapters.

**Silence.** A scan can stop without an error. When nothing was received for `silence_s`, the scan is restarted. After
`restarts_max` restarts without effect the adapter is power-cycled, if it has no link. Each power cycle doubles the time
before the next one: in the country at night there may be no device in range. The scan is also restarted for a device
that a task waits for, at growing intervals, since BlueZ may report an already known device only when it changes.

**Bounds.** Any radio can send advertisements. The list is limited and drops its oldest entry first. Tasks that wait for
a device are kept separately, so a flood of invented addresses hides no paired device. Names are truncated and made
printable.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import structlog
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from gateway.transports.ble.faults import fault_of
from gateway.transports.ble.options import ScanOptions
from gateway.transports.ble.stack import BleBackend, BleUnavailable
from gateway.transports.clock import Clock
from protocols.ble.uuids import short_uuid
from protocols.bounded_map import BoundedMap
from protocols.waits import doubled_s

NAME_CHARACTERS_MAX = 40
SERVICES_MAX = 16

log = structlog.get_logger(__name__)


class Heard(NamedTuple):
    """The latest advertisement of one device, not authenticated: any radio can send any address and name. `rssi` is in
    dBm, `at_s` monotonic; `services` are the advertised 16-bit SIG UUIDs."""

    address: str
    name: str
    rssi: int
    services: tuple[int, ...]
    at_s: float


class BleScanner:
    """Scanner of one adapter. `run` scans from the opening of the adapter until the adapter is closed or lost."""

    def __init__(self, backend: BleBackend, clock: Clock, options: ScanOptions) -> None:
        self._backend = backend
        self._clock = clock
        self._options = options
        self._heard: BoundedMap[str, tuple[Heard, BLEDevice]] = BoundedMap(options.heard_max)
        self._wanted: dict[str, list[asyncio.Future[BLEDevice]]] = {}
        self._turn = asyncio.Lock()
        self._scanner: BleakScanner | None = None
        self._wake = asyncio.Event()
        self._strangers = 0
        self._searches = 0
        self._last_s = self._started_s = clock.monotonic_s()
        self.links = 0
        """Number of links that exist or are being made: the adapter is not switched off meanwhile."""
        self.restarts = 0
        """Number of scans since the last advertisement that were started again because nothing was heard."""
        self.power_cycles = 0
        """Number of power cycles of the adapter since the last advertisement."""

    @property
    def silent_s(self) -> float:
        """Seconds since the last advertisement of any device."""
        return self._clock.monotonic_s() - self._last_s

    def heard(self) -> list[Heard]:
        """Return the devices that advertised within the last `heard_s`, in order of falling RSSI."""
        oldest_s = self._clock.monotonic_s() - self._options.heard_s
        return sorted((heard for heard, _ in self._heard.values() if heard.at_s >= oldest_s), key=lambda it: -it.rssi)

    def device(self, address: str, since_s: float) -> BLEDevice | None:
        """Return the device if it advertised at `since_s` (monotonic) or later, else None."""
        entry = self._heard.get(address)
        return entry[1] if entry is not None and entry[0].at_s >= since_s else None

    async def wait_for(self, address: str, since_s: float) -> BLEDevice:
        """Wait until the device has advertised at `since_s` (monotonic) or later, and return it. Cancel-safe."""
        known = self.device(address, since_s)
        if known is not None:
            return known
        future: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()
        self._wanted.setdefault(address, []).append(future)
        self._searches = 0
        self._wake.set()
        try:
            return await future
        finally:
            waiting = self._wanted[address]
            waiting.remove(future)
            if not waiting:
                del self._wanted[address]

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Pause scanning inside the block. A second caller waits until the first block has ended."""
        async with self._turn:
            await self._stop()
            try:
                yield
            finally:
                self._wake.set()

    async def run(self) -> None:
        """Scan until cancelled. Raises BleUnavailable when the adapter must be reopened."""
        self._last_s = self._started_s = self._clock.monotonic_s()
        self.restarts = self.power_cycles = 0
        try:
            while True:
                async with self._turn:
                    if self._scanner is None:
                        await self._start()
                await self._pause_until(self._next_look_s())
                if self._clock.monotonic_s() >= self._next_look_s():
                    await self._again()
        finally:
            try:
                await self._stop()
            finally:
                # A stack's state of a device is valid for one opening of it.
                self._heard.clear()

    def found(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        """Record an advertisement; called by the stack."""
        now_s = self._clock.monotonic_s()
        address = device.address.upper()
        name = _printable(advertisement.local_name or device.name or "")
        known = self._heard.get(address)
        if known is None:
            self._strangers += 1
        services = (short_uuid(each) for each in advertisement.service_uuids[: 4 * SERVICES_MAX])
        heard = Heard(
            address=address,
            name=name or (known[0].name if known else ""),
            rssi=advertisement.rssi,
            services=tuple(each for each in services if each is not None)[:SERVICES_MAX],
            at_s=now_s,
        )
        self._heard[address] = heard, device
        self._last_s = now_s
        self.restarts = self.power_cycles = 0
        for future in self._wanted.get(address, ()):
            if not future.done():
                future.set_result(device)
        if self._strangers > self._options.strangers_max:
            self._wake.set()

    def _next_look_s(self) -> float:
        """Return the monotonic time at which the scan is to be restarted if no further advertisement arrives."""
        if self._strangers > self._options.strangers_max:
            return self._started_s
        # After each power cycle without effect the time limit is doubled, up to an hour's worth of ordinary silence.
        silence_s = doubled_s(self._options.silence_s, min(self.power_cycles, 6))
        look_s = max(self._last_s, self._started_s) + silence_s
        if self._wanted:
            wanted_s = doubled_s(self._options.wanted_silence_s, min(self._searches, 3))
            look_s = min(look_s, self._started_s + wanted_s)
        return look_s

    async def _pause_until(self, deadline_s: float) -> None:
        self._wake.clear()
        try:
            async with self._clock.timeout_at(deadline_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _again(self) -> None:
        """Restart the scan. After `restarts_max` restarts in silence, also power-cycle the adapter, unless it has a
        link."""
        silent = self.silent_s >= self._options.silence_s
        self._searches += 1
        async with self._turn:
            await self._stop()
            if silent:
                self.restarts += 1
                log.info("ble.scan_restarted", silent_s=round(self.silent_s), restarts=self.restarts)
                if self.restarts > self._options.restarts_max and not self.links:
                    self.restarts = 0
                    self.power_cycles += 1
                    log.warning("ble.adapter_power_cycled", why="nothing heard", silent_s=round(self.silent_s))
                    await self._backend.power_cycle()
            await self._start()

    async def _start(self) -> None:
        for attempt in range(self._options.starts_max):
            scanner = self._backend.scanner(self.found)
            try:
                async with self._clock.timeout_at(self._clock.monotonic_s() + self._options.step_s):
                    await scanner.start()
            except Exception as error:
                why = fault_of(error).words
                log.info("ble.scan_failed", why=why, attempt=attempt + 1)
                await self._stop_quietly(scanner)
                await self._clock.sleep_until(self._clock.monotonic_s() + 1.0 + attempt)
            else:
                self._scanner = scanner
                self._strangers = 0
                self._started_s = self._clock.monotonic_s()
                return
        raise BleUnavailable(f"the adapter does not scan: {why}; it is reopened")

    async def _stop(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            await self._stop_quietly(scanner)

    async def _stop_quietly(self, scanner: BleakScanner) -> None:
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + self._options.step_s):
                await scanner.stop()
        except Exception as error:
            # It may have disappeared with the adapter. A scan that continues in the stack is found when the next one
            # starts.
            log.info("ble.scan_not_stopped", why=fault_of(error).words)


def _printable(name: str) -> str:
    """Return `name`, truncated and without unprintable characters, which could control a terminal."""
    cut = name[:NAME_CHARACTERS_MAX].strip()
    return "".join(each if each.isprintable() else "\ufffd" for each in cut)
