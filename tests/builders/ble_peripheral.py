"""A simulated Bluetooth device on a clock that the test moves, and a phone that connects to it with Bumble's GATT
client.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bumble.att import ATT_Error
from bumble.core import UUID
from bumble.device import Connection, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import Address, OwnAddressType
from bumble.keys import KeyStore, MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from simulators.ble.assembly import build_peripheral
from simulators.ble.attach import Station, attach
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.ether import Ether
from simulators.ble.peripheral import Peripheral, PeripheralOptions
from simulators.ble.witness import BleWitness
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.moved_clock import MovedClock

PHONE = "F0:00:00:00:00:01"
MTU = 247


class _Person(PairingDelegate):
    """A person who types the passkey that the device shows."""

    def __init__(self, reads: Callable[[], int | None]) -> None:
        super().__init__(PairingDelegate.KEYBOARD_INPUT_ONLY)
        self._reads = reads

    async def get_number(self) -> int | None:
        return await eventually(self._reads, what="digits to type")


class Phone:
    """A central that uses Bumble's GATT client. `values` are (characteristic, value) of each notification and
    indication received, in their order."""

    def __init__(self, station: Station, mtu: int = MTU) -> None:
        self._station = station
        self._mtu = mtu
        self.values: list[tuple[int, bytes]] = []
        self.reason: int | None = None
        """The HCI reason with which the last connection ended; None while a connection exists."""
        self.link: Connection | None = None
        self._peer: Peer | None = None

    async def connect(self, address: str, *, random: bool = False) -> None:
        kind = Address.RANDOM_DEVICE_ADDRESS if random else Address.PUBLIC_DEVICE_ADDRESS
        async with asyncio.timeout(WITHIN_S):  # a device that is a process may still be starting
            self.link = await self._station.device.connect(
                Address(address, kind), own_address_type=OwnAddressType.RANDOM
            )
        self.reason = None
        self.link.on(Connection.EVENT_DISCONNECTION, self._ended)
        self._peer = Peer(self.link)
        await self._peer.request_mtu(self._mtu)
        await self._peer.discover_all()

    def _ended(self, reason: int) -> None:
        self.reason, self.link = reason, None

    @property
    def connected(self) -> bool:
        return self.link is not None

    @property
    def keys(self) -> KeyStore:
        keys = self._station.device.keystore
        assert keys is not None
        return keys

    async def pair(self, reads: Callable[[], int | None] | None = None) -> None:
        """Pair with a passkey, or by Just Works if `reads` is None. `reads` returns the passkey once the device
        displays it."""
        assert self.link is not None
        delegate = PairingDelegate() if reads is None else _Person(reads)
        random = PairingConfig.AddressType.RANDOM
        self._station.device.pairing_config_factory = lambda link: PairingConfig(
            mitm=reads is not None, delegate=delegate, identity_address_type=random
        )
        await self.link.pair()

    async def encrypt(self) -> None:
        """Encrypt the connection with the existing bond."""
        assert self.link is not None
        await self.link.encrypt()

    async def subscribe(self, *uuids: int) -> None:
        for uuid in uuids:
            await self._found(uuid).subscribe(lambda octets, uuid=uuid: self.values.append((uuid, bytes(octets))))

    async def read(self, uuid: int) -> bytes:
        return bytes(await self._found(uuid).read_value())

    async def write(self, uuid: int, octets: bytes) -> None:
        await self._found(uuid).write_value(octets, with_response=True)

    async def refusal(self, uuid: int, octets: bytes) -> int:
        """Write a characteristic; return the ATT error code with which the write is rejected, or 0 if it is
        accepted."""
        try:
            await self.write(uuid, octets)
        except ATT_Error as error:
            return error.error_code
        return 0

    def has(self, uuid: int) -> bool:
        assert self._peer is not None
        return bool(self._peer.get_characteristics_by_uuid(UUID.from_16_bits(uuid)))

    async def leave(self) -> None:
        assert self.link is not None
        await self.link.disconnect()

    def of(self, uuid: int) -> list[bytes]:
        return [octets for each, octets in self.values if each == uuid]

    @property
    def services(self) -> set[int]:
        assert self._peer is not None
        return {int(each.uuid.to_hex_str(), 16) for each in self._peer.services}

    def _found(self, uuid: int) -> "CharacteristicProxy[bytes]":
        assert self._peer is not None
        return self._peer.get_characteristics_by_uuid(UUID.from_16_bits(uuid))[0]


class Room:
    """One device and one phone within radio range. `live` advances the device's clock."""

    def __init__(self, clock: MovedClock, device: Peripheral, phone: Phone) -> None:
        self.clock = clock
        self.device = device
        self.phone = phone

    async def live(self, seconds: float, step_s: float = 1.0) -> None:
        for _ in range(round(seconds / step_s)):
            await self.clock.advance(step_s)

    async def on_air(self) -> None:
        """Advance the device's clock until the device advertises."""

        async def is_there() -> bool:
            if not self.device.status.on_air:
                await self.clock.advance(0.2)
            return self.device.status.on_air

        await eventually(is_there, what="the device is on air")

    async def connected(self, *, paired: bool = True) -> Phone:
        """Connect the phone once the device advertises, and return the phone. If `paired`, pair at the first connection
        and encrypt later connections with the bond."""

        await self.on_air()
        await self.phone.connect(self.device.address, random=self.device.behaviour.static_random)
        if paired and await self.device.bonds.get_all():
            await self.phone.encrypt()
        elif paired:
            await self.phone.pair()
        return self.phone


@asynccontextmanager
async def phone_on(air: Ether | Path) -> AsyncIterator[Phone]:
    """Yield a phone on a simulated radio: an ether in this process, or the path of a radio's socket."""
    station = await attach(air, "phone", PHONE, keys=MemoryKeyStore())
    try:
        yield Phone(station)
    finally:
        station.close()


@asynccontextmanager
async def room(
    kind: str,
    behaviour: BleBehaviour | None = None,
    *,
    witness: Path | None = None,
    memory: Path | None = None,
    bonds: Path | None = None,
    scenario: str = "stable",
    phone_keys: KeyStore | None = None,
    air: Ether | Path | None = None,
    phone_mtu: int = MTU,
) -> AsyncIterator[Room]:
    """Run a device and a phone until the block ends.

    `air` is the simulated radio: an ether in this process, or the path of a radio's socket; None creates an ether.
    """
    clock = MovedClock()
    air = air or Ether()
    device = build_peripheral(
        kind,
        Patient(11, scenario_of(scenario)),
        air,
        clock,
        witness=None if witness is None else BleWitness(witness, clock),
        options=PeripheralOptions(behaviour=behaviour or BleBehaviour(), memory=memory, bonds=bonds),
    )
    phone = await attach(air, "phone", PHONE, keys=phone_keys or MemoryKeyStore())
    running = asyncio.create_task(device.run())
    try:
        yield Room(clock, device, Phone(phone, phone_mtu))
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        phone.close()
