"""A virtual radio in the test's own process: the gateway's backend on it, simple peripherals, and a person who pairs.

The controllers, hosts and backend are those of a radio in a separate process, but without sockets, so a test takes
milliseconds. Devices with real services are in `simulators.ble.peripherals`; the peripherals here have only the few
attributes that tests of the radio need.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bumble import gatt
from bumble.att import ATT_Error
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection
from bumble.gatt import Characteristic, Service
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from gateway.transports.ble.stack import BleUnavailable
from simulators.ble.attach import Air, Station, attach
from simulators.ble.backend import VirtualRadio
from simulators.ble.ether import Ether
from simulators.ble.radio import run_radio
from tests.harness.eventually import WITHIN_S

OXIMETER = "F0:F1:00:00:00:01"
REFUSED = b"\xff"
"""A value that a bare device refuses in a write."""
_P = Characteristic.Properties


class Person:
    """A person at a pairing, as a `PairingAgent`; `asked` has the questions so far.

    `code` is the passkey that the person types (None: no passkey is typed). `agrees` is the reply to a request to
    confirm.
    """

    def __init__(self, *, agrees: bool = True, code: int | None = None) -> None:
        self.agrees = agrees
        self.code = code
        self.asked: list[str] = []

    async def passkey(self, address: str) -> int | None:
        self.asked.append(f"passkey {address}")
        return self.code

    async def confirm(self, address: str, passkey: int | None) -> bool:
        self.asked.append(f"confirm {address}")
        return self.agrees


class RadioHere(VirtualRadio):
    """The gateway's Bluetooth backend on a radio in this process. While `plugged` is False, there is no adapter."""

    def __init__(self, ether: Ether, bonds_dir: Path) -> None:
        super().__init__(None, bonds_dir)
        self.ether = ether
        self.plugged = True

    def air(self) -> Air:
        if not self.plugged:
            raise BleUnavailable("no adapter is plugged in")
        return self.ether

    def unplug(self) -> None:
        """Remove the adapter while the gateway uses it."""
        self.plugged = False
        if self._central is not None:
            self._central.station.close()


def backend_class(ether: Ether) -> type[RadioHere]:
    """Return a backend class on this radio that takes `(adapter, bonds_dir)`, as the setting `ble_backend` requires."""

    class OnThisEther(RadioHere):
        def __init__(self, adapter: str | None, bonds_dir: Path) -> None:
            super().__init__(ether, bonds_dir)

    return OnThisEther


@asynccontextmanager
async def radio_at(folder: Path) -> AsyncIterator[tuple[Path, Path]]:
    """Run a radio as a task; yield the paths of its two sockets in `folder`, for Bluetooth hosts and for control."""
    hosts, control, stop, up = folder / "radio", folder / "control", asyncio.Event(), asyncio.Event()
    running = asyncio.ensure_future(run_radio(hosts, control, stop=stop, ready=up.set))
    opened = asyncio.ensure_future(up.wait())
    await asyncio.wait({running, opened}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        opened.cancel()
        running.result()
    try:
        yield hosts, control
    finally:
        stop.set()
        await running


class BareDevice:
    """A peripheral with four characteristics: one notifies, one indicates, one is written, one requires encryption."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.device = station.device
        self.written: list[bytes] = []
        self.notified = Characteristic(UUID.from_16_bits(0x2A5F), _P.NOTIFY, Characteristic.READABLE, b"")
        self.indicated = Characteristic(UUID.from_16_bits(0x2A1C), _P.INDICATE, Characteristic.READABLE, b"")
        self.plain: Characteristic[bytes] = Characteristic(
            UUID.from_16_bits(0x2A29),
            _P.READ | _P.WRITE,
            Characteristic.READABLE | Characteristic.WRITEABLE,
            gatt.CharacteristicValue(read=lambda _link: b"Argus", write=self._on_write),
        )
        self.guarded = Characteristic(
            UUID.from_16_bits(0x2A23),
            _P.READ,
            Characteristic.READ_REQUIRES_ENCRYPTION,
            bytes(8),
        )
        self.device.add_service(
            Service(UUID.from_16_bits(0x1822), [self.notified, self.indicated, self.plain, self.guarded])
        )

    def _on_write(self, _link: Connection, value: bytes) -> None:
        if value == REFUSED:
            raise ATT_Error(0x80)
        self.written.append(value)

    @property
    def link(self) -> Connection:
        """Return the device's only connection."""
        (link,) = self.device.connections.values()
        return link

    def pairs(self, *, code: int | None = None) -> None:
        """Set the pairing method: Just Works, or with `code` the passkey that the device displays."""
        capability = PairingDelegate.NO_OUTPUT_NO_INPUT if code is None else PairingDelegate.DISPLAY_OUTPUT_ONLY
        self.device.pairing_config_factory = lambda _link: PairingConfig(
            sc=True,
            mitm=code is not None,
            bonding=True,
            delegate=_Shows(capability, code),
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )

    def forgets_bonds(self) -> None:
        self.device.keystore = MemoryKeyStore()

    async def advertise(self) -> None:
        data = AdvertisingData(
            [
                (AdvertisingData.FLAGS, b"\x06"),
                (AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, b"\x22\x18"),
            ]
        )
        name = AdvertisingData([(AdvertisingData.COMPLETE_LOCAL_NAME, self.device.name.encode())])
        await self.device.start_advertising(
            advertising_data=bytes(data),
            scan_response_data=bytes(name),
            auto_restart=True,
            advertising_interval_min=20,
            advertising_interval_max=20,
        )

    async def notify(self, octets: bytes) -> None:
        await self.device.notify_subscriber(self.link, self.notified, octets)

    async def indicate(self, octets: bytes) -> None:
        """Send an indication and return when the client has confirmed it."""
        await self.device.indicate_subscriber(self.link, self.indicated, octets)


class _Shows(PairingDelegate):
    def __init__(self, capability: PairingDelegate.IoCapability, code: int | None) -> None:
        super().__init__(io_capability=capability)
        self._code = code

    async def generate_passkey(self) -> int:
        return self._code or 0


async def bare_device(air: Air, address: str = OXIMETER, *, name: str = "Oximeter", public: bool = False) -> BareDevice:
    """Attach a peripheral to the radio and let it advertise."""
    device = BareDevice(await attach(air, name, address, public=public))
    await device.advertise()
    return device


async def find(backend: VirtualRadio, address: str) -> BLEDevice:
    """Scan until this device is found."""
    heard: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()

    def found(device: BLEDevice, _told: AdvertisementData) -> None:
        if device.address == address and not heard.done():
            heard.set_result(device)

    scanner = backend.scanner(found)
    await scanner.start()
    try:
        async with asyncio.timeout(WITHIN_S):
            return await heard
    finally:
        await scanner.stop()


class Losses:
    """A disconnected callback that keeps the clients that it was called with."""

    def __init__(self) -> None:
        self.clients: list[BleakClient] = []
        self._came = asyncio.Event()

    def __call__(self, client: BleakClient) -> None:
        self.clients.append(client)
        self._came.set()

    async def first(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            await self._came.wait()


async def connect(backend: VirtualRadio, address: str = OXIMETER, lost: Losses | None = None) -> BleakClient:
    """Find this device and connect to it; `lost` is the disconnected callback."""
    client = backend.client(await find(backend, address), lost or Losses())
    await client.connect()
    return client


class Arrivals:
    """A notification callback that keeps the received values."""

    def __init__(self) -> None:
        self.octets: list[bytes] = []
        self._came = asyncio.Event()

    def __call__(self, _characteristic: object, octets: bytearray) -> None:
        self.octets.append(bytes(octets))
        self._came.set()

    async def wait_for(self, count: int) -> list[bytes]:
        async with asyncio.timeout(WITHIN_S):
            while len(self.octets) < count:
                self._came.clear()
                await self._came.wait()
        return self.octets
