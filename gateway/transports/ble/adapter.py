"""Open one Bluetooth adapter, watch it, and reopen it when the adapter or its stack has disappeared.

The loss of a stack makes all its objects invalid. So scanner, links and clients are made new at each opening. Every
request to the stack has a time limit here, and its errors become sentences for the operator.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from gateway.transports.ble.faults import fault_of
from gateway.transports.ble.links import Links
from gateway.transports.ble.options import CentralOptions
from gateway.transports.ble.scanner import BleScanner
from gateway.transports.ble.stack import BleBackend, BleUnavailable, PairingAgent
from gateway.transports.clock import Clock
from protocols.waits import doubled_s

log = structlog.get_logger(__name__)

T = TypeVar("T")


class BleAdapter:
    """One Bluetooth adapter, kept open. `chance()` returns a random number in [0, 1) for the wait before the adapter is
    reopened."""

    def __init__(
        self,
        backend: BleBackend,
        clock: Clock,
        options: CentralOptions,
        agent: PairingAgent,
        scanner: BleScanner,
        links: Links,
        chance: Callable[[], float],
    ) -> None:
        self.up = asyncio.Event()
        self.trouble = "the adapter has not been opened yet"
        """The reason that it is not up; "" while it is."""
        self._backend = backend
        self._clock = clock
        self._options = options
        self._agent = agent
        self._chance = chance
        self._scanner = scanner
        self._links = links
        self._openings = 0
        self._cycled_s: float | None = None

    async def run(self) -> None:
        """Open the adapter, scan, and reopen it after each loss, until cancelled."""
        failures, logged = 0, ("", 0)
        try:
            while True:
                began_s = self._clock.monotonic_s()
                why = await self._opening()
                now_s = self._clock.monotonic_s()
                failures = 1 if now_s - began_s >= self._options.settled_s else failures + 1
                pause_s = doubled_s(self._options.reopen_s, failures - 1, self._options.reopen_s_max)
                pause_s *= 0.5 + 0.5 * self._chance()
                # A missing adapter is logged once, not at every check.
                if (why, self._openings) != logged:
                    log.warning("ble.adapter_lost", why=why)
                logged = why, self._openings
                await self._clock.sleep_until(now_s + pause_s)
        finally:
            self._down("the gateway is stopping")
            await self._close()

    async def bonded(self, address: str) -> bool:
        """Return whether the stack holds bond keys for the device. Raises the stack's errors."""
        return await self._limited(self._backend.bonded(address))

    async def may_lose_bond(self, address: str) -> bool:
        """Return whether the stack may hold a bond for the device; true where the stack cannot report bonds."""
        try:
            return await self.bonded(address)
        except Exception as error:
            log.info("ble.bond_not_known", address=address, why=fault_of(error).words)
            return True

    async def forget(self, address: str) -> None:
        """Delete the stack's keys and cache for the device. Raises the stack's errors."""
        await self._limited(self._backend.forget(address))

    async def end_stale(self, address: str) -> None:
        """End the stack's connection to the device if no link of this gateway uses the connection, for example after a
        crash of an earlier process. A connected device does not advertise, so the scanner would never find it."""
        try:
            # Queried afterwards: our own attempt may have begun meanwhile.
            if address in await self._limited(self._backend.connected()) and self._links.of(address) is None:
                log.info("ble.stale_link_ended", address=address)
                await self._limited(self._backend.disconnect(address))
        except Exception as error:
            log.info("ble.stale_link_not_ended", address=address, why=fault_of(error).words)

    async def call_off(self, address: str) -> None:
        """Disconnect a device to which this gateway has no link. The stack then also stops trying to connect to it."""
        try:
            await self._limited(self._backend.disconnect(address))
        except Exception as error:
            log.info("ble.stale_link_not_ended", address=address, why=fault_of(error).words)

    async def power_cycle(self, why: str) -> None:
        """Switch the adapter off and on, and log `why`. Do nothing while the adapter has a link or is not open, or
        within `power_cycle_pause_s` after the last power cycle."""
        async with self._scanner.paused():
            now_s = self._clock.monotonic_s()
            soon = self._cycled_s is not None and now_s - self._cycled_s < self._options.power_cycle_pause_s
            if soon or self._scanner.links or not self.up.is_set():
                return
            self._cycled_s = now_s
            log.warning("ble.adapter_power_cycled", why=why)
            await self._limited(self._backend.power_cycle())

    async def _opening(self) -> str:
        """Open the adapter and use it until it is lost. Return why it was lost or could not be opened."""
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + self._options.open_s):
                await self._backend.open(self._agent)
        except Exception as error:
            return await self._over(str(error) if isinstance(error, BleUnavailable) else fault_of(error).words)
        self.trouble = ""
        self._openings += 1
        self.up.set()
        log.info("ble.adapter_opened")
        why = ""

        async def until_unavailable(part: Coroutine[Any, Any, None]) -> None:
            nonlocal why
            try:
                await part
            except BleUnavailable as unavailable:
                why = why or str(unavailable)
                ended.reschedule(asyncio.get_running_loop().time())

        # By a time-out and not by the failure of a part: a task group whose part fails at the moment in which the group
        # is cancelled raises the failure and loses the cancellation, and the gateway would not stop.
        try:
            async with asyncio.timeout(None) as ended, asyncio.TaskGroup() as tasks:
                tasks.create_task(until_unavailable(self._watch_for_loss()))
                tasks.create_task(until_unavailable(self._scan()))
                tasks.create_task(self._links.share())
        except TimeoutError:
            return await self._over(why)
        raise AssertionError("the scanner and the links are served until the adapter is lost")

    async def _watch_for_loss(self) -> None:
        why = await self._backend.wait_until_lost()
        # At once, before the scanner has been stopped: a dead stack does not respond, and links wait for it.
        self._down(why)
        raise BleUnavailable(why)

    async def _scan(self) -> None:
        try:
            await self._scanner.run()
        except BleUnavailable:
            raise
        except Exception as error:
            # Whatever fault a stack has ends this opening of the adapter, and nothing else.
            log.error("ble.scan_broke", exc_info=True)
            raise BleUnavailable(fault_of(error).words) from error

    async def _over(self, why: str) -> str:
        self._down(why)
        await self._close()
        return why

    def _down(self, why: str) -> None:
        self.up.clear()
        self.trouble = why
        self._links.end(why)

    async def _close(self) -> None:
        await self._links.close()
        try:
            await self._limited(self._backend.close())
        except Exception as error:
            log.info("ble.adapter_not_closed", why=fault_of(error).words)

    async def _limited(self, call: Awaitable[T]) -> T:
        async with self._clock.timeout_at(self._clock.monotonic_s() + self._options.request_s):
            return await call
