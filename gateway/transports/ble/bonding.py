"""Make one bond: wait until the device advertises, take a place among the adapter's links, connect, and pair.

A link that breaks before pairing has begun is retried, because first links to devices in pairing mode break often.
After pairing has begun nothing is retried: the device may have shown a passkey, and it leaves its pairing mode after a
failure.
"""

from collections.abc import Callable
from typing import NamedTuple

import structlog

from gateway.transports.ble.adapter import BleAdapter
from gateway.transports.ble.attempts import Attempts
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import BleLost, BleUnreachable, FaultKind, fault_of, wait_s
from gateway.transports.ble.links import Links
from gateway.transports.ble.options import CentralOptions
from gateway.transports.ble.scanner import BleScanner
from gateway.transports.ble.slots import Place
from gateway.transports.clock import Clock

_LINK_BROKE = frozenset({FaultKind.PASSING, FaultKind.TABLE, FaultKind.ABSENT})

log = structlog.get_logger(__name__)


class Bond(NamedTuple):
    """The result of a pairing. `identity`: address of the device from now on. `bonded`: the stack holds keys; some
    devices pair without keys."""

    identity: str
    bonded: bool


class Bonding:
    """Pairing of devices over one adapter. `chance()` in [0, 1) randomises the waits between attempts."""

    def __init__(
        self,
        clock: Clock,
        options: CentralOptions,
        scanner: BleScanner,
        links: Links,
        attempts: Attempts,
        adapter: BleAdapter,
        chance: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._options = options
        self._scanner = scanner
        self._links = links
        self._attempts = attempts
        self._adapter = adapter
        self._chance = chance

    async def bond(self, address: str, since_s: Callable[[], float], allowed: Callable[[], bool]) -> Bond:
        """Pair a device and close the link. The device must have advertised at `since_s()` (monotonic) or later.
        `allowed()` returns whether the gateway may still connect to it. Raises BleUnreachable with the reason and the
        remedy."""
        await self._hear(address, since_s())
        place = await self._place(address)
        try:
            return await self._pair(address, since_s, allowed)
        except BleUnreachable:
            raise
        except Exception as error:
            raise BleUnreachable(
                f"{address} could not be paired: {fault_of(error).words}; put it into pairing mode again, check the "
                "passkey that it shows, and try again"
            ) from error
        finally:
            place.give_back()

    async def _hear(self, address: str, since_s: float) -> None:
        limit_s = self._options.pair_heard_s
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + limit_s):
                await self._scanner.wait_for(address, since_s)
        except TimeoutError:
            raise BleUnreachable(
                self._adapter.trouble
                or f"{address} was not heard within {limit_s:g} s: switch it on, put it into pairing mode (see its "
                "manual), bring it near and try again"
            ) from None

    async def _place(self, address: str) -> Place:
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + self._options.pair_heard_s):
                return await self._links.slots.take(address, first=True)
        except TimeoutError:
            raise BleUnreachable(
                f"{address} was heard, and all {self._links.slots.limit} places of the adapter are held by devices "
                "that measure: switch one of them off and try again"
            ) from None

    async def _pair(self, address: str, since_s: Callable[[], float], allowed: Callable[[], bool]) -> Bond:
        failures, failed_s = 0, 0.0

        def heard_since_s() -> float:
            return max(since_s(), failed_s)

        while True:
            began = False
            try:
                async with self._attempts.link_to(address, heard_since_s, allowed) as connection:
                    if connection is None:
                        raise BleLost(self._adapter.trouble or "it went out of range")
                    began = True
                    return await self._pair_over(connection)
            except Exception as error:
                fault = fault_of(error)
                failures += 1
                again = not (began or self._adapter.trouble) and fault.kind in _LINK_BROKE
                if not again or failures >= self._options.tries_max:
                    raise
            log.info("ble.pairing_link_failed", address=address, kind=fault.kind.value, why=fault.words)
            failed_s = self._clock.monotonic_s()
            await self._clock.sleep_until(failed_s + wait_s(fault.kind, failures, self._chance()))
            await self._hear(address, heard_since_s())

    async def _pair_over(self, connection: BleConnection) -> Bond:
        identity = await connection.pair(self._options.pair_s)
        bonded = await self._adapter.bonded(identity)
        await self._clock.sleep_until(self._clock.monotonic_s() + self._options.paired_s)
        await connection.close()
        self._links.remove(connection)
        return Bond(identity, bonded)
