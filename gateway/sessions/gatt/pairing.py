"""Pair a Bluetooth device at the request of an operator, who gives its address, and remove one on request.

The stack's requests for passkeys and confirmations are accepted only while an operator pairs a device, and only for the
address of this device. Every other attempt to pair is refused and recorded.

**Pairing again.** A device whose bond is lost (its memory was reset, or the gateway's) is paired again under the same
entry, and not connected before that is done. The stack's stale keys are dropped first. A device that works is left
unchanged.

**Order.** The stack gets the keys first, the store gets the device next, and the device is connected last. So no device
is used without being in the store. If the gateway is killed between the first two steps, unused keys remain in the
stack; the next pairing of the device drops them first. A device is removed in the opposite order.

`transports/ble/central` makes bonds.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway.buffer.ble_devices import PAIRED_MAX, PairedDevice, TooManyPaired
from gateway.buffer.errors import StoreFull
from gateway.sessions.gatt.pairing_failures import PairingFailed, Trouble, failed
from gateway.sessions.gatt.profiles import find_measuring, find_supported, service_words
from gateway.sessions.gatt.trusted_devices import TrustedDevices
from gateway.sessions.journal import Journal
from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import BleUnreachable, FaultKind, fault_of
from gateway.transports.ble.scanner import Heard
from gateway.transports.clock import Clock

WHO = "operator at the console"
HEAR_S = 20.0
"""Time within which the device must advertise: it does so about every second, for half a minute in a pairing mode."""
HEAR_EVERY_S = 0.25
OPEN_S = 3.0
"""Time for which the adapter may be unavailable before the operator sees an error: it is reopened after a fault."""
LOOK_S = 45.0
"""Time within which a device must advertise again after pairing; some devices switch off and on."""
KEYS_KEPT_TRIES = 4
KEYS_KEPT_S = 0.5
"""Time between the `KEYS_KEPT_TRIES` attempts to connect to a bonded device, which may not have stored its keys yet."""
UNDO_S = 15.0
"""Time for undoing an incomplete pairing; after that the undoing is abandoned."""

_ADDRESS = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}")

log = structlog.get_logger()


class Person(Protocol):
    """The operator who requested a pairing. When the operator disconnects, the pairing's task is cancelled."""

    async def show_step(self, step: str, says: str) -> None:
        """Show the sentence `says` about the present step. `step` is one word, for programs."""

    async def passkey(self, says: str) -> int | None:
        """Show the prompt `says` and return the six digits that the operator enters, or None."""

    async def confirm(self, says: str, passkey: int | None) -> bool:
        """Show the question `says` and return the decision. `passkey`: six digits that both sides show, or None."""


@dataclass(slots=True)
class _UnderWay:
    """The running pairing. `open`: the stack may request digits now. `identity`: the real address of a device that uses
    a private address before it is bonded."""

    address: str
    person: Person
    identity: str = ""
    open: bool = False
    digits_requested: bool = False
    digits_given: bool = False
    refused_by_operator: bool = False


class Pairings:
    """Pairing and removal of devices, one at a time, and the `PairingAgent` that responds to the stack."""

    def __init__(self, trust: TrustedDevices, journal: Journal, clock: Clock, *, require_bond: bool = True) -> None:
        self._trust = trust
        self._journal = journal
        self._clock = clock
        self._require_bond = require_bond
        self._under_way: _UnderWay | None = None

    @property
    def under_way(self) -> str | None:
        """The address of the device that is being paired now, or None."""
        return None if self._under_way is None else self._under_way.address

    # ---- requests of the stack

    async def passkey(self, address: str) -> int | None:
        """Return the six digits that the operator enters for the device at `address`. Return None if the operator
        enters none, or if no operator requested to pair this device."""
        pairing = self._open_pairing(address)
        if pairing is None:
            await self._refuse(address)
            return None
        pairing.digits_requested = True
        digits = await pairing.person.passkey("The device shows six digits.")
        pairing.digits_given = digits is not None
        return digits

    async def confirm(self, address: str, passkey: int | None) -> bool:
        """Return whether the device at `address` may pair now. If `passkey` is None (Just Works), the operator gets no
        question here, because the operator confirmed the device before the pairing began."""
        pairing = self._open_pairing(address)
        if pairing is None:
            await self._refuse(address)
            return False
        if passkey is None:
            return True
        agreed = await pairing.person.confirm("The device shows six digits. Are they these?", passkey)
        pairing.refused_by_operator = not agreed
        return agreed

    def _open_pairing(self, address: str) -> _UnderWay | None:
        pairing = self._under_way
        return pairing if pairing is not None and pairing.open and pairing.address == address.upper() else None

    async def _refuse(self, address: str) -> None:
        await self._journal.record("ble.pairing_refused", None, address=address.upper(), why="no operator requested it")

    # ---- requests of the operator

    async def pair(
        self,
        radio: BleCentral,
        address: str,
        person: Person,
        *,
        without_bond: bool = False,
        well: Callable[[str], Awaitable[bool]] | None = None,
        who: str = WHO,
    ) -> PairedDevice:
        """Pair one device and return it. Raises `PairingFailed`.

        `without_bond`: pair the device although it does not bond. `well`: called with the address of a device that was
        paired earlier; returns whether the device works. If it works, it is returned unchanged. If `well` is None, a
        paired device is always paired again.
        """
        address = address.strip().upper()
        if _ADDRESS.fullmatch(address) is None:
            raise failed(Trouble.NO_ADDRESS)
        if self._under_way is not None:
            raise failed(Trouble.BUSY, self._under_way.address)
        known = self._trust.find(address)
        if known is not None and well is not None and await well(address):
            await person.show_step("paired", "It is paired already and works: nothing was changed.")
            return known
        if self._under_way is not None:  # another request began while `well` ran
            raise failed(Trouble.BUSY, self._under_way.address)
        if known is None and self._trust.is_full:
            raise failed(Trouble.TOO_MANY, str(PAIRED_MAX))
        pairing = self._under_way = _UnderWay(address, person)
        self._trust.withhold(address)
        try:
            device = await self._pair(radio, pairing, known, without_bond)
        except PairingFailed as failure:
            await self._journal.record("ble.pairing_failed", None, address=address, why=failure.trouble.value, who=who)
            raise
        finally:
            self._under_way = None
            self._trust.release()
        await self._journal.record(
            "ble.device_paired",
            None,
            address=device.address,
            device_name=device.name,
            bonded=device.bonded,
            services=" ".join(f"{each:04x}" for each in device.services),
            who=who,
        )
        return device

    async def forget(self, radio: BleCentral, address: str) -> str:
        """Remove a device. Return "", or a sentence about keys that the stack did not drop. Raises StoreFull, and
        `PairingFailed` where the device is not paired or is being paired."""
        address = address.strip().upper()
        if self._under_way is not None and self._under_way.address == address:
            raise failed(Trouble.BUSY, address)
        device = self._trust.find(address)
        if device is None:
            raise failed(Trouble.NOT_PAIRED, address)
        await self._trust.remove(address)
        await self._journal.record(
            "ble.device_forgotten", device.system_id or None, address=address, device_name=device.name, who=WHO
        )
        try:
            await radio.forget(address)
        except BleUnreachable as error:
            return f"The Bluetooth stack still holds keys of it ({error}); they are dropped when it is paired again."
        return ""

    async def _pair(
        self, radio: BleCentral, pairing: _UnderWay, known: PairedDevice | None, without_bond: bool
    ) -> PairedDevice:
        await pairing.person.show_step("listening", f"Listening for {pairing.address} …")
        advertiser = await self._hear(radio, pairing.address)
        name = advertiser.name or (known.name if known else "")
        if not await pairing.person.confirm(self._question(advertiser, name, without_bond), None):
            raise failed(Trouble.NOT_CONFIRMED)
        done = False
        try:
            services, bonded = await self._join(radio, pairing, without_bond)
            device = PairedDevice(
                address=pairing.identity or pairing.address,
                name=name,
                system_id="",  # the address may belong to another device now, or to one with new electronics
                bonded=bonded,
                paired_us=self._clock.wall_us(),
                services=services,
            )
            await self._remember(device)
            done = True
        except BleUnreachable as error:
            raise failed(Trouble.UNREACHABLE, _reason(error)) from error
        finally:
            if not done:
                await self._undo(radio, pairing.identity or pairing.address)
        return device

    async def _remember(self, device: PairedDevice) -> None:
        try:
            await self._trust.add(device)
        except StoreFull as error:
            raise failed(Trouble.STORE_FULL) from error
        except TooManyPaired as error:
            raise failed(Trouble.TOO_MANY, str(PAIRED_MAX)) from error

    async def _hear(self, radio: BleCentral, address: str) -> Heard:
        usable_s = self._clock.monotonic_s()
        until_s = usable_s + HEAR_S
        while True:
            for each in radio.heard():
                if each.address.upper() == address:
                    return each
            now_s = self._clock.monotonic_s()
            if not radio.trouble:
                usable_s = now_s
            elif now_s >= usable_s + OPEN_S:
                raise failed(Trouble.UNAVAILABLE, radio.trouble)
            if now_s >= until_s:
                raise failed(Trouble.NOT_HEARD, f"{HEAR_S:.0f}")
            await self._clock.sleep_until(min(until_s, now_s + HEAR_EVERY_S))

    def _question(self, advertiser: Heard, name: str, without_bond: bool) -> str:
        address = advertiser.address.upper()
        offers = f", which offers {service_words(advertiser.services)}" if advertiser.services else ""
        says = []
        if namesakes := self._trust.namesakes(address, name):
            says.append(f"Careful: it uses the name of a paired device, {namesakes[0].address}, and is another one.")
        if self._trust.find(address) is not None:
            says.append("It is paired already: its previous keys are dropped.")
        if without_bond:
            says.append(
                "Without a bond nothing proves that it is this device each time, and its values can be overheard."
            )
        return " ".join([*says, f"Pair {name or 'a device without a name'} ({address}){offers}?"])

    async def _join(self, radio: BleCentral, pairing: _UnderWay, without_bond: bool) -> tuple[tuple[int, ...], bool]:
        """Bond with the device and connect. Return its supported services, and whether there is a bond."""
        if without_bond:
            await radio.forget(pairing.address)  # stale keys would be tried first, and fail
        else:
            await self._bond(radio, pairing)
        await pairing.person.show_step("looking", "Reading its services …")
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + LOOK_S):
                peer = await self._meet_again(radio, pairing.identity or pairing.address)
        except TimeoutError:
            raise failed(Trouble.UNREACHABLE, radio.trouble or f"it did not advertise within {LOOK_S:.0f} s") from None
        try:
            services, bonded = tuple(peer.services()), peer.bonded
        finally:
            await peer.close()
        if not find_measuring(services):
            raise failed(Trouble.NOT_OURS, service_words(services) or "nothing")
        return find_supported(services), bonded

    async def _meet_again(self, radio: BleCentral, address: str) -> BleConnection:
        """Connect to a device that was just paired; retry while the device has not stored its new keys yet. Raises
        BleUnreachable."""
        for _ in range(KEYS_KEPT_TRIES - 1):
            try:
                return await radio.connect(address)
            except BleUnreachable as error:
                if not error.bond_lost:
                    raise
                log.info("ble.keys_not_kept_yet", address=address)
            await self._clock.sleep_until(self._clock.monotonic_s() + KEYS_KEPT_S)
        return await radio.connect(address)

    async def _bond(self, radio: BleCentral, pairing: _UnderWay) -> None:
        """Bond with the device. Raises `PairingFailed`. If the settings require no bond, it is no failure when the
        device does not bond."""
        await pairing.person.show_step("pairing", "Pairing …")
        pairing.open = True
        try:
            bonded = await radio.pair(pairing.address)
            pairing.identity = radio.identity_of(pairing.address)
        except BleUnreachable as error:
            trouble = _why(pairing, error)
            if trouble is Trouble.REFUSED and not self._require_bond:
                log.info("ble.taken_without_bond", address=pairing.address, why=_reason(error))
                return
            raise failed(trouble, _reason(error)) from error
        finally:
            pairing.open = False
        if not bonded and self._require_bond:
            raise failed(Trouble.NO_BOND)

    async def _undo(self, radio: BleCentral, address: str) -> None:
        """Drop the stack's keys of a device that is not in the store, even when the operator has disconnected."""
        try:
            async with asyncio.timeout(UNDO_S):
                await radio.forget(address)
        except (BleUnreachable, TimeoutError) as error:
            log.warning("ble.keys_left", address=address, why=str(error))


def _why(pairing: _UnderWay, error: BleUnreachable) -> Trouble:
    if pairing.refused_by_operator:
        return Trouble.NOT_CONFIRMED
    if pairing.digits_given:
        return Trouble.WRONG_DIGITS
    if pairing.digits_requested:
        return Trouble.NO_DIGITS
    cause = error.__cause__
    return Trouble.REFUSED if cause is not None and fault_of(cause).kind is FaultKind.KEYS else Trouble.UNREACHABLE


def _reason(error: BleUnreachable) -> str:
    """Return the reason of a failed connection without the Bluetooth stack's advice, because `pairing_failures` has its
    own advice."""
    return fault_of(error.__cause__).words if error.__cause__ is not None else str(error)
