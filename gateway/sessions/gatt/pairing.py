"""Which Bluetooth devices are trusted, and the one way in which a device becomes one: a person asks for it by address.

A device is used only while it is in the store's list; what advertises its name, or is known to the stack from before,
is not. While a person pairs a device, and only then, the stack's questions are answered, for that one address; every
other attempt to pair with this gateway is refused and told.

**Paired again.** A device whose bond is gone (its memory was reset, or ours) is paired anew in place: it is not served
while that lasts, the stack's keys of it go first, and it comes back with the new ones. One that is well is left alone.

**Order.** Keys in the stack, then the store, then served: no device is served without being in the store. Killed in
between, the stack has keys that nobody uses; the next pairing drops them first. Forgetting goes the other way round.

Does not connect devices for their data (ble_supervisor), nor know how a stack bonds (transports/ble_central).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol
from weakref import WeakSet

import structlog

from gateway.buffer.ble_devices import PAIRED_MAX, PairedDevice, TooManyPaired
from gateway.buffer.errors import StoreFull
from gateway.sessions.gatt.pairing_failures import PairingFailed, Trouble, failed
from gateway.sessions.gatt.services import measuring, service_words, understood
from gateway.sessions.journal import Journal
from gateway.transports.ble.faults import BleUnreachable, FaultKind, fault_of
from gateway.transports.clock import Clock

WHO = "operator at the console"
HEAR_S = 20.0
"""A device that is switched on advertises every second or so; its pairing mode often lasts half a minute."""
HEAR_EVERY_S = 0.25
OPEN_S = 3.0
"""How long an adapter may be away without the person being told: it is opened anew after trouble, and at the start."""
LOOK_S = 45.0
"""How long a device that has just been paired may take to be there again; some switch off and on in between."""
KEYS_KEPT_TRIES = 4
KEYS_KEPT_S = 0.5
"""A device that has just bonded may still be writing its keys down when it is connected again: so often, so far
apart."""
UNDO_S = 15.0
"""How long undoing a half-made pairing may take before its caller goes on without."""

_ADDRESS = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}")

log = structlog.get_logger()


class Advertiser(Protocol):
    """What was heard of a device lately (`BleCentral.heard`)."""

    @property
    def address(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def services(self) -> Sequence[int]: ...


class Peer(Protocol):
    """A connection, as far as pairing looks at it (`BleConnection`)."""

    bonded: bool

    def services(self) -> Sequence[int]: ...
    async def close(self) -> None: ...


class PairingRadio(Protocol):
    """The part of `BleCentral` that this needs."""

    @property
    def trouble(self) -> str:
        """Why nothing can be done now; empty while the adapter is up."""

    def heard(self) -> Sequence[Advertiser]: ...

    async def connect(self, address: str) -> Peer:
        """Waits, without a limit, until it is heard. Raises BleUnreachable."""

    async def pair(self, address: str) -> bool:
        """Whether there is a bond now; whatever was known of the device is dropped first. Raises BleUnreachable."""

    def identity_of(self, address: str) -> str:
        """By which address a device that was paired is known from then on."""

    async def forget(self, address: str) -> None:
        """Raises BleUnreachable."""


class PairingStore(Protocol):
    """The part of the buffer that this needs."""

    async def remember_ble_device(self, device: PairedDevice) -> None: ...
    async def forget_ble_device(self, address: str) -> None: ...


class Person(Protocol):
    """Who asked for a pairing, while it lasts; when they go, the pairing's task is cancelled."""

    async def told(self, step: str, says: str) -> None:
        """What happens now; `step` is one word, for programs."""

    async def passkey(self, says: str) -> int | None:
        """The six digits that the device shows; None: there are none, or nobody reads them."""

    async def confirm(self, says: str, passkey: int | None) -> bool:
        """Yes or no. `passkey`: six digits that both sides show, None where there is nothing to compare."""


@dataclass(slots=True)
class _UnderWay:
    """The pairing that a person has asked for. `open`: the stack may ask now. `identity`: the address of a device that
    hides its own until it is bonded."""

    address: str
    person: Person
    identity: str = ""
    open: bool = False
    digits_asked: bool = False
    digits_given: bool = False
    refused_by_person: bool = False


class Pairings:
    """For one event loop. Is the stack's `PairingAgent`."""

    def __init__(self, store: PairingStore, journal: Journal, clock: Clock, *, require_bond: bool = True) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._require_bond = require_bond
        self._devices: dict[str, PairedDevice] = {}
        self._under_way: _UnderWay | None = None
        self._wakes: WeakSet[asyncio.Event] = WeakSet()

    def load(self, devices: Iterable[PairedDevice]) -> None:
        """What was durable when the gateway started."""
        self._devices = {device.address: device for device in devices}

    def follow(self, stored: Iterable[PairedDevice]) -> list[PairedDevice]:
        """Another store is in use: serve also the devices that it names, and return those that it lacks."""
        named = {device.address: device for device in stored}
        lacking = [device for address, device in self._devices.items() if address not in named]
        self._devices = {**named, **self._devices}
        self._changed()
        return lacking

    @property
    def paired(self) -> list[PairedDevice]:
        """All of them, for people; the one paired longest ago first."""
        return sorted(self._devices.values(), key=lambda each: (each.paired_us, each.address))

    @property
    def under_way(self) -> str | None:
        """The address of the device that is being paired now."""
        return None if self._under_way is None else self._under_way.address

    def devices(self) -> list[PairedDevice]:
        """Those that are to be served now."""
        return [each for each in self.paired if self.trusted(each.address) is not None]

    def trusted(self, address: str) -> PairedDevice | None:
        """The device as it was paired; None: not paired, or just being paired again. Nothing may be taken from it."""
        if self._under_way is not None and self._under_way.address == address:
            return None
        return self._devices.get(address)

    def wait_for_change(self) -> asyncio.Event:
        """An event of the caller's own that every change sets from now on: clear it, look, and wait."""
        wake = asyncio.Event()
        self._wakes.add(wake)
        return wake

    async def met(self, address: str, system_id: str) -> None:
        """The device has said who it is. Kept for people and for telling another device at its address."""
        known = self._devices.get(address)
        if known is None or known.system_id == system_id:
            return
        self._devices[address] = replace(known, system_id=system_id)
        with suppress(StoreFull):
            await self._store.remember_ble_device(self._devices[address])

    # ---- what the stack asks

    async def passkey(self, address: str) -> int | None:
        """Six digits, from the person who asked for just this pairing. `PairingAgent`."""
        asked = self._asked_for(address)
        if asked is None:
            await self._refuse(address)
            return None
        asked.digits_asked = True
        digits = await asked.person.passkey("The device shows six digits.")
        asked.digits_given = digits is not None
        return digits

    async def confirm(self, address: str, passkey: int | None) -> bool:
        """Whether this device may pair now. `PairingAgent`. Just works was agreed to before the pairing began."""
        asked = self._asked_for(address)
        if asked is None:
            await self._refuse(address)
            return False
        if passkey is None:
            return True
        agreed = await asked.person.confirm("The device shows six digits. Are they these?", passkey)
        asked.refused_by_person = not agreed
        return agreed

    def _asked_for(self, address: str) -> _UnderWay | None:
        asked = self._under_way
        return asked if asked is not None and asked.open and asked.address == address.upper() else None

    async def _refuse(self, address: str) -> None:
        await self._journal.write("ble.pairing_refused", None, address=address.upper(), why="nobody has asked for it")

    # ---- what a person asks

    async def pair(
        self,
        radio: PairingRadio,
        address: str,
        person: Person,
        *,
        without_bond: bool = False,
        well: Callable[[str], Awaitable[bool]] | None = None,
    ) -> PairedDevice:
        """Pair one device, to the end, or `PairingFailed`. `without_bond`: take it although it does not bond. `well`:
        whether a device that is paired already works as it is, and is left so; None: it is paired anew."""
        address = address.strip().upper()
        if _ADDRESS.fullmatch(address) is None:
            raise failed(Trouble.NO_ADDRESS)
        if self._under_way is not None:
            raise failed(Trouble.BUSY, self._under_way.address)
        known = self._devices.get(address)
        if known is not None and well is not None and await well(address):
            await person.told("paired", "It is paired already, and nothing is known against it: nothing was changed.")
            return known
        if self._under_way is not None:  # another asker came while we looked
            raise failed(Trouble.BUSY, self._under_way.address)
        if known is None and len(self._devices) >= PAIRED_MAX:
            raise failed(Trouble.TOO_MANY, str(PAIRED_MAX))
        asked = self._under_way = _UnderWay(address, person)
        self._changed()
        try:
            device = await self._pair(radio, asked, known, without_bond)
        except PairingFailed as failure:
            await self._journal.write("ble.pairing_failed", None, address=address, why=failure.trouble.value, who=WHO)
            raise
        finally:
            self._under_way = None
            self._changed()
        await self._journal.write(
            "ble.device_paired",
            None,
            address=device.address,
            device_name=device.name,
            bonded=device.bonded,
            services=" ".join(f"{each:04x}" for each in device.services),
            who=WHO,
        )
        return device

    async def forget(self, radio: PairingRadio, address: str) -> str:
        """Whatever the stack does, it is not served any more. Words on what is left over, empty where nothing is.
        Raises `PairingFailed` where it is not paired, StoreFull."""
        address = address.strip().upper()
        if self._under_way is not None and self._under_way.address == address:
            raise failed(Trouble.BUSY, address)
        device = self._devices.get(address)
        if device is None:
            raise failed(Trouble.NOT_PAIRED, address)
        await self._store.forget_ble_device(address)
        self._devices.pop(address, None)
        self._changed()
        await self._journal.write(
            "ble.device_forgotten", device.system_id or None, address=address, device_name=device.name, who=WHO
        )
        try:
            await radio.forget(address)
        except BleUnreachable as error:
            return f"The Bluetooth stack still holds keys of it ({error}); they are dropped when it is paired again."
        return ""

    async def _pair(
        self, radio: PairingRadio, asked: _UnderWay, known: PairedDevice | None, without_bond: bool
    ) -> PairedDevice:
        await asked.person.told("listening", f"Listening for {asked.address} …")
        advertiser = await self._hear(radio, asked.address)
        name = advertiser.name or (known.name if known else "")
        if not await asked.person.confirm(self._question(advertiser, name, without_bond), None):
            raise failed(Trouble.NOT_CONFIRMED)
        done = False
        try:
            services, bonded = await self._join(radio, asked, without_bond)
            device = PairedDevice(
                address=asked.identity or asked.address,
                name=name,
                system_id="",  # paired anew it may be another device, or the same with other electronics
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
                await self._undo(radio, asked.identity or asked.address)
        return device

    async def _remember(self, device: PairedDevice) -> None:
        try:
            await self._store.remember_ble_device(device)
        except StoreFull as error:
            raise failed(Trouble.STORE_FULL) from error
        except TooManyPaired as error:
            raise failed(Trouble.TOO_MANY, str(PAIRED_MAX)) from error
        self._devices[device.address] = device

    async def _hear(self, radio: PairingRadio, address: str) -> Advertiser:
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

    def _question(self, advertiser: Advertiser, name: str, without_bond: bool) -> str:
        address = advertiser.address.upper()
        offers = f", which offers {service_words(advertiser.services)}" if advertiser.services else ""
        says = []
        if namesakes := self.namesakes(address, name):
            says.append(f"Careful: it uses the name of a paired device, {namesakes[0].address}, and is another one.")
        if address in self._devices:
            says.append("It is paired already: what was agreed with it before is dropped.")
        if without_bond:
            says.append(
                "Without a bond nothing proves that it is this device each time, and what it sends can be heard."
            )
        return " ".join([*says, f"Pair {name or 'a device without a name'} ({address}){offers}?"])

    def namesakes(self, address: str, name: str) -> list[PairedDevice]:
        """Paired devices of that name that are not at that address."""
        folded = name.casefold()
        return [each for each in self.paired if folded and each.name.casefold() == folded and each.address != address]

    async def _join(self, radio: PairingRadio, asked: _UnderWay, without_bond: bool) -> tuple[tuple[int, ...], bool]:
        """The services that we understand, and whether there is a bond."""
        if without_bond:
            await radio.forget(asked.address)  # keys of an earlier life would be tried first, in vain
        else:
            await self._bond(radio, asked)
        await asked.person.told("looking", "Looking at what it offers …")
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + LOOK_S):
                peer = await self._meet_again(radio, asked.identity or asked.address)
        except TimeoutError:
            raise failed(Trouble.UNREACHABLE, radio.trouble or f"it was not there within {LOOK_S:.0f} s") from None
        try:
            services, bonded = tuple(peer.services()), peer.bonded
        finally:
            await peer.close()
        if not measuring(services):
            raise failed(Trouble.NOT_OURS, service_words(services) or "nothing")
        return understood(services), bonded

    async def _meet_again(self, radio: PairingRadio, address: str) -> Peer:
        """Connect with the new keys. Raises BleUnreachable."""
        for _ in range(KEYS_KEPT_TRIES - 1):
            try:
                return await radio.connect(address)
            except BleUnreachable as error:
                if not error.bond_lost:
                    raise
                log.info("ble.keys_not_kept_yet", address=address)
            await self._clock.sleep_until(self._clock.monotonic_s() + KEYS_KEPT_S)
        return await radio.connect(address)

    async def _bond(self, radio: PairingRadio, asked: _UnderWay) -> None:
        """Return when there is a bond, or where none is required."""
        await asked.person.told("pairing", "Pairing …")
        asked.open = True
        try:
            bonded = await radio.pair(asked.address)
            asked.identity = radio.identity_of(asked.address)
        except BleUnreachable as error:
            trouble = _why(asked, error)
            if trouble is Trouble.REFUSED and not self._require_bond:
                log.info("ble.taken_without_bond", address=asked.address, why=_reason(error))
                return
            raise failed(trouble, _reason(error)) from error
        finally:
            asked.open = False
        if not bonded and self._require_bond:
            raise failed(Trouble.NO_BOND)

    async def _undo(self, radio: PairingRadio, address: str) -> None:
        """Keys without a row in the store are of no use to anybody. Also when the asker has just gone."""
        try:
            async with asyncio.timeout(UNDO_S):
                await radio.forget(address)
        except (BleUnreachable, TimeoutError) as error:
            log.warning("ble.keys_left", address=address, why=str(error))

    def _changed(self) -> None:
        for wake in list(self._wakes):
            wake.set()


def _why(asked: _UnderWay, error: BleUnreachable) -> Trouble:
    if asked.refused_by_person:
        return Trouble.NOT_CONFIRMED
    if asked.digits_given:
        return Trouble.WRONG_DIGITS
    if asked.digits_asked:
        return Trouble.NO_DIGITS
    cause = error.__cause__
    return Trouble.REFUSED if cause is not None and fault_of(cause).kind is FaultKind.KEYS else Trouble.UNREACHABLE


def _reason(error: BleUnreachable) -> str:
    """The bare reason where there is one: what to do is said in our own words."""
    return fault_of(error.__cause__).words if error.__cause__ is not None else str(error)
