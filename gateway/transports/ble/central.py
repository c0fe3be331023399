"""The only path to a link over one adapter: wait until the device is heard and has a place, then connect, one at a time
(`attempts`).

- A link that this gateway does not hold is ended first (misbehaviour 7).
- A failed try is logged and followed by a wait (`faults`). The ladder of `standing` has further recovery steps.
  A device that fails waits without a place and without the turn: it delays no other.
- The tries of one call are bounded; a caller that retries queues behind the others.

`sessions/gatt/trusted_devices` decides which devices may be connected. This module knows no service: the caller checks
what a device must show (`lacks`).
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial

import structlog

from gateway.transports.ble.adapter import BleAdapter
from gateway.transports.ble.attempts import Attempts
from gateway.transports.ble.bonding import Bonding
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import (
    BleLost,
    BleUnreachable,
    Fault,
    FaultKind,
    TableFault,
    failed_words,
    fault_of,
    refused_words,
    wait_s,
)
from gateway.transports.ble.links import Links
from gateway.transports.ble.options import CentralOptions
from gateway.transports.ble.scanner import BleScanner, Heard
from gateway.transports.ble.slots import Place
from gateway.transports.ble.stack import BleBackend, PairingAgent
from gateway.transports.ble.standing import Rung, Standing
from gateway.transports.clock import Clock

Lacks = Callable[[BleConnection], str]
"""Function that returns the sentence about what a device lacks; "" when nothing is missing."""

log = structlog.get_logger(__name__)


class BleCentral:
    """The central of one adapter. `chance()` in [0, 1) spreads the waits. It keeps a standing of each device that is
    connected: paired ones."""

    def __init__(
        self,
        backend: BleBackend,
        clock: Clock,
        options: CentralOptions,
        agent: PairingAgent,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.options = options
        self._clock = clock
        self._chance = chance
        self._scanner = BleScanner(backend, clock, options.scan)
        self._links = Links(clock, options, self._scanner)
        self._attempts = Attempts(backend, clock, options, self._scanner, self._links)
        self._adapter = BleAdapter(backend, clock, options, agent, self._scanner, self._links, chance)
        self._bonding = Bonding(clock, options, self._scanner, self._links, self._attempts, self._adapter, chance)
        self._standings: dict[str, Standing] = {}
        self._pairing: dict[str, asyncio.Event] = {}
        self._identities: dict[str, str] = {}

    @property
    def trouble(self) -> str:
        """The reason that no device can connect now, in words; "" while the adapter is up."""
        return self._adapter.trouble

    @property
    def state(self) -> str:
        """The state in words, for the status."""
        if self.trouble:
            return self.trouble
        words = f"scanning, {len(self.heard())} heard, {self._links.slots.held} of {self._links.slots.limit} links"
        waiting = len(self._links.slots.queued)
        return f"{words}, {waiting} queued for a place" if waiting else words

    def trouble_of(self, address: str) -> str:
        """Return why the last try to reach this device failed; "" when it worked, or was not tried."""
        standing = self._standings.get(address.upper())
        return "" if standing is None else standing.words

    def heard(self) -> list[Heard]:
        """Return the devices that advertised within the last minute, the strongest first; bounded. None of it is
        trusted."""
        return self._scanner.heard()

    async def run(self) -> None:
        """Keep adapter and scanner up until cancelled, then end every link."""
        await self._adapter.run()

    async def connect(self, address: str, lacks: Lacks = lambda _: "") -> BleConnection:
        """Wait until the device is heard and has a place, then connect. Cancel-safe; the caller closes the link. An
        existing link to the device ends first: the latest caller gets it.

        Raises BleUnreachable, in words, after `tries_max` failed tries, or earlier where a retry cannot help.
        """
        address = address.upper()
        tries = 0
        link = self._links.of(address)
        if link is not None:
            link.end("another part of the gateway has taken the device over")
            await link.close()
        while True:
            await self._in_range(address)
            place = await self._links.slots.take(address)
            try:
                connection = await self._try(address, lacks)
            except Exception as error:
                place.give_back()
                if self._adapter.up.is_set():
                    tries += 1
                    await self._after(address, error, tries)
            except BaseException:
                place.give_back()
                raise
            else:
                if connection is not None:
                    connection.when_closed(partial(self._closed, place))
                    return connection
                place.give_back()  # it was out of range again when its turn came

    async def pair(self, address: str) -> bool:
        """Make a bond with a device that an operator has at hand; the `PairingAgent` serves the stack's requests.
        Earlier keys and caches of it are dropped first. Return whether the stack holds keys afterwards: some devices
        pair without. Leaves no link. Raises BleUnreachable in words."""
        address = address.upper()
        if address in self._pairing:
            raise BleUnreachable(f"{address} is being paired already")
        done = self._pairing[address] = asyncio.Event()
        try:
            await self.forget(address)
            allowed = self._allowed(address, pairing=True)
            bond = await self._bonding.bond(address, lambda: self._since_s(address), allowed)
            if bond.identity != address:
                self._identities[address] = bond.identity
            return bond.bonded
        finally:
            del self._pairing[address]
            done.set()

    def identity_of(self, address: str) -> str:
        """Return the address by which a device that was paired in this run is known from then on. A device that hides
        behind changing addresses reveals its own when it is bonded; for any other device it is the same."""
        return self._identities.get(address.upper(), address.upper())

    async def forget(self, address: str) -> None:
        """End the device's link and drop its keys and everything that the stack has cached of it. Raises BleUnreachable
        in words."""
        address = address.upper()
        link = self._links.of(address)
        if link is not None:
            link.end("its pairing was ended or is being renewed")
            await link.close()
        # Earlier advertisements are void together with the stack's object.
        self._standings[address] = Standing(not_before_s=self._clock.monotonic_s())
        if not self._adapter.up.is_set():
            raise BleUnreachable(f"{address} cannot be paired or forgotten now: {self.trouble}")
        try:
            await self._adapter.forget(address)
        except Exception as error:
            raise BleUnreachable(f"{address} cannot be paired or forgotten: {fault_of(error).words}") from error

    async def _in_range(self, address: str) -> None:
        """Return when the adapter is up and the device is heard."""
        while True:
            await self._adapter.up.wait()
            if address in self._pairing:
                await self._pairing[address].wait()
                continue
            link = self._links.of(address)
            if link is not None:
                await link.ended.wait()
                await link.close()
                continue
            await self._climb(address)
            await self._adapter.end_stale(address)
            try:
                async with self._clock.timeout_at(self._clock.monotonic_s() + self.options.look_again_s):
                    await self._scanner.wait_for(address, self._since_s(address))
            except TimeoutError:
                continue
            return

    def _standing(self, address: str) -> Standing:
        return self._standings.setdefault(address, Standing())

    def _since_s(self, address: str) -> float:
        return max(self._clock.monotonic_s() - self.options.fresh_s, self._standing(address).not_before_s)

    async def _try(self, address: str, lacks: Lacks) -> BleConnection | None:
        """Connect once. Return None when, at its turn, the device was not heard lately, or is not to be connected after
        all."""
        allowed = self._allowed(address, pairing=False)
        async with self._attempts.link_to(address, lambda: self._since_s(address), allowed) as connection:
            if connection is None:
                return None
            connection.bonded = await self._adapter.bonded(address)
            missing = lacks(connection)
            if missing:
                # 12: the stack's copy of the table may be from before a change of firmware.
                raise TableFault(missing, stale=True)
            if connection.ended.is_set():
                raise BleLost(connection.why)
            return connection

    def _allowed(self, address: str, *, pairing: bool) -> Callable[[], bool]:
        """Return the function that decides whether a device may be connected when its turn has come. One that is being
        paired has no other user meanwhile."""
        return lambda: self._adapter.up.is_set() and pairing == (address in self._pairing)

    async def _closed(self, place: Place, connection: BleConnection) -> None:
        """Follow up on a link that stood and has been closed."""
        self._links.remove(connection)
        place.give_back()
        standing = self._standing(connection.address)
        standing.not_before_s = max(standing.not_before_s, connection.ended_s)
        if connection.unanswered:
            # 19: it connects and then a request hangs, each time alike. For the ladder that is a failed try.
            standing.failed(Fault(FaultKind.SILENT, connection.why), bonded=connection.bonded)
        else:
            standing.worked()

    async def _after(self, address: str, error: Exception, tries: int) -> None:
        """Wait after a failed try. Raises BleUnreachable where a retry does not help."""
        standing = self._standing(address)
        fault = fault_of(error)
        bonded = await self._adapter.may_lose_bond(address)
        standing.failed(fault, bonded=bonded)
        log.info(
            "ble.connect_failed", address=address, kind=fault.kind.value, why=fault.words, failures=standing.failures
        )
        if standing.due is Rung.ASK_OPERATOR:
            raise BleUnreachable(refused_words(address, fault, bonded), bond_lost=bonded)
        if fault.kind in (FaultKind.ABSENT, FaultKind.SILENT):
            standing.not_before_s = self._clock.monotonic_s()
        if fault.kind is FaultKind.BUSY:
            await self._adapter.call_off(address)
        hopeless = fault.kind is FaultKind.STALE and standing.due is not Rung.FORGET
        if hopeless or tries >= self.options.tries_max:
            raise BleUnreachable(failed_words(address, fault, bonded))
        pause_s = wait_s(fault.kind, standing.failures, self._chance())
        await self._clock.sleep_until(self._clock.monotonic_s() + pause_s)

    async def _climb(self, address: str) -> None:
        """Run the due recovery step before the next try."""
        standing = self._standing(address)
        rung, standing.due = standing.due, Rung.AGAIN
        try:
            # Checked a second time: it may have been paired since.
            if rung is Rung.FORGET and not await self._adapter.may_lose_bond(address):
                log.warning("ble.cache_forgotten", address=address, why=standing.words)
                await self._adapter.forget(address)
                standing.not_before_s = self._clock.monotonic_s()
            elif rung is Rung.POWER_CYCLE:
                await self._adapter.power_cycle(f"{address}: {standing.words}")
        except Exception as error:
            log.warning("ble.step_failed", step=rung.value, address=address, why=fault_of(error).words)
