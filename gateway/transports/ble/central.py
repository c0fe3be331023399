"""Connect devices over one adapter; the gateway makes links nowhere else.

A device is connected when it has advertised and a place among the adapter's links is free, one device at a time
(`attempts`).

- A connection of the stack that is no link of this gateway is ended first.
- A failed attempt is followed by a wait (`faults`), and repeated failures by recovery steps (`standing`). A device
  that waits after a failure holds no place and no lock, so it delays no other device.
- Each call of `connect` makes a bounded number of attempts. A caller that calls again queues behind the others.

This module knows no GATT service: the caller passes a function (`lacks`) that checks the device's table of services.
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
    """The central of one adapter. `chance()` returns a number in [0, 1) that randomises the waits between attempts."""

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
        """The reason, for the operator, that no device can connect now; "" while the adapter is up."""
        return self._adapter.trouble

    @property
    def state(self) -> str:
        """The adapter's state, in words for the gateway's status."""
        if self.trouble:
            return self.trouble
        words = f"scanning, {len(self.heard())} heard, {self._links.slots.held} of {self._links.slots.limit} links"
        waiting = len(self._links.slots.queued)
        return f"{words}, {waiting} queued for a place" if waiting else words

    def trouble_of(self, address: str) -> str:
        """Return why the last attempt to connect this device failed; "" when it succeeded or none was made."""
        standing = self._standings.get(address.upper())
        return "" if standing is None else standing.words

    def heard(self) -> list[Heard]:
        """Return devices that advertised within the last minute, by falling RSSI. Their number is bounded, and any
        radio can send such an advertisement."""
        return self._scanner.heard()

    async def run(self) -> None:
        """Keep the adapter open and scanning until cancelled, then end every link."""
        await self._adapter.run()

    async def connect(self, address: str, lacks: Lacks = lambda _: "") -> BleConnection:
        """Wait until the device advertises and the adapter can hold one more link, then connect. The caller closes the
        link. An existing link to the device is ended first. Cancel-safe.

        `lacks` returns what the device's table of services lacks, "" for nothing. Raises BleUnreachable, with the
        reason and the remedy, after `tries_max` failed attempts, or earlier where a retry cannot help.
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
        """Pair a device that an operator has at hand, and close the link. The stack's earlier keys and cache for the
        device are deleted first. Return whether the stack holds keys afterwards: some devices pair without keys. Raises
        BleUnreachable with the reason and the remedy."""
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
        """Return the identity address of a device that bonded at `address` since the gateway started. For a device
        without private (changing) addresses, it equals `address`."""
        return self._identities.get(address.upper(), address.upper())

    async def forget(self, address: str) -> None:
        """End the link to the device, and delete the stack's keys and cache for it. Raises BleUnreachable."""
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
        """Return when the adapter is up and the device has advertised recently. A device that is linked or being paired
        is awaited until the link or the pairing has ended."""
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
        """Make one attempt to connect the device. Return None if the device has not advertised recently or may not be
        connected any more."""
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
        """Return a function, to be called just before a connect, that returns whether the connect is allowed.
        `pairing`: the connect is for pairing. It is then allowed only while the device is being paired, and otherwise
        only while the device is not being paired. No connect is allowed while the adapter is not open."""
        return lambda: self._adapter.up.is_set() and pairing == (address in self._pairing)

    async def _closed(self, place: Place, connection: BleConnection) -> None:
        """Release the closed link's place. Count a failure if a request got no response, otherwise a success."""
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
        """Count and log the failed attempt number `tries`, then wait. Raises BleUnreachable where no retry follows."""
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
        """Run the recovery step that is due after failed connects of the device, before the next attempt to connect."""
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
