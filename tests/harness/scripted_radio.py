"""A Bluetooth stack that follows a test's script: connects that fail, calls that hang, an adapter that disappears.

It produces the errors that the virtual radio of `simulators.ble` cannot produce. bleak's own `BleakClient` and
`BleakScanner` run on it, so the gateway calls the real library.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError

from gateway.transports.ble.stack import BleUnavailable, Found, Lost, PairingAgent
from protocols.ble.uuids import long_uuid


class Hangs(Enum):
    """The type of `HANGS`, a script entry for a call that never returns."""

    HANGS = "hangs"


HANGS = Hangs.HANGS
"""A script entry for a call that never returns."""
OXIMETER = "F0:F1:00:00:00:01"
CUFF = "F0:F1:00:00:00:02"
OXIMETER_TABLE = {0x1822: {0x2A5F: ("notify",), 0x2A60: ("read",)}, 0x180A: {0x2A29: ("read",), 0x2A23: ("read",)}}
Table = Mapping[int, Mapping[int, Sequence[str]]]


class Stuck:
    """A script entry for a call that does not return until the event `freed` is set, not even when it is cancelled."""

    def __init__(self) -> None:
        self.freed = asyncio.Event()


class ScriptedDevice:
    """One scripted Bluetooth device. `connects`, `subscriptions`, `reads` and `pairs` are the outcomes of the next
    calls.

    Each call removes one entry from its list; when a list is empty, calls succeed.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.name: str | None = f"Device {address[-2:]}"
        self.connects: list[Any] = []
        self.subscriptions: list[Any] = []
        self.reads: list[Any] = []
        self.pairs: list[Any] = []
        self.bonds = True
        self.identity = address
        """The device's address once it is bonded."""
        self.table: Table = OXIMETER_TABLE
        self.tables: list[Table] = []
        """Attribute tables of the next connects, one each."""
        self.clients: list[ScriptedClient] = []

    @property
    def open_clients(self) -> list["ScriptedClient"]:
        return [client for client in self.clients if not client.told]

    def notify(self, characteristic: int, octets: bytes) -> None:
        """Send a value to every subscribed client on which `disconnect` was not called, as BlueZ does."""
        for client in self.open_clients:
            callback = client.callbacks.get(long_uuid(characteristic))
            if callback is not None:
                callback(bytearray(octets))

    def leave(self) -> None:
        for client in self.open_clients:
            client.lose()


class ScriptedRadio:
    """A `BleBackend` with scripted devices. A scan reports the devices in `on_air`, and later every device that
    advertises."""

    def __init__(self, adapter: str | None = None, bonds_dir: Path = Path()) -> None:
        self.devices: dict[str, ScriptedDevice] = {}
        self.on_air: set[str] = set()
        self.bonds: set[str] = set()
        self.left_connected: set[str] = set()
        self.opens: list[Any] = []
        self.scan_starts: list[Any] = []
        self.scanning: ScriptedScanner | None = None
        self.scans = 0
        self.opened = 0
        self.power_cycles = 0
        self.forgotten: list[str] = []
        self.ended: list[str] = []
        self.order: list[str] = []
        """The addresses of the connects, in order."""
        self.connecting = 0
        self.overlaps: list[str] = []
        """Descriptions of calls that overlapped although they must not."""
        self._gone: asyncio.Future[str] | None = None

    def device(self, address: str = OXIMETER, *, on_air: bool = True) -> ScriptedDevice:
        found = self.devices.setdefault(address, ScriptedDevice(address))
        if on_air:
            self.advertise(address)
        return found

    def advertise(self, address: str, rssi: int = -50, name: str | None = None, services: Iterable[int] = ()) -> None:
        self.on_air.add(address)
        if self.scanning is not None:
            self.scanning.hear(address, rssi, name, services)

    def lose(self, why: str) -> None:
        assert self._gone is not None
        self._gone.set_result(why)

    async def open(self, agent: PairingAgent) -> None:
        await _act(self.opens)
        self.opened += 1
        self._gone = asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        self.scanning = None

    async def wait_until_lost(self) -> str:
        assert self._gone is not None
        return await asyncio.shield(self._gone)

    def scanner(self, found: Found, service_uuids: Sequence[str] = ()) -> BleakScanner:
        return BleakScanner(found, backend=ScriptedScanner, radio=self)

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        return BleakClient(device, lost, backend=ScriptedClient, radio=self)

    async def bonded(self, address: str) -> bool:
        return address in self.bonds

    async def forget(self, address: str) -> None:
        self.forgotten.append(address)
        self.bonds.discard(address)

    async def connected(self) -> Sequence[str]:
        return tuple(self.left_connected)

    async def disconnect(self, address: str) -> None:
        self.ended.append(address)
        self.left_connected.discard(address)
        self.advertise(address)

    async def power_cycle(self) -> None:
        if any(device.open_clients for device in self.devices.values()):
            self.overlaps.append("power cycle beneath a link")
        self.power_cycles += 1


class ScriptedScanner(BaseBleakScanner):
    def __init__(self, callback: Any, service_uuids: Any, mode: str, *, radio: ScriptedRadio, **_other: Any) -> None:
        super().__init__(callback, service_uuids)
        self._radio = radio

    async def start(self) -> None:
        await _act(self._radio.scan_starts)
        if self._radio.scanning is not None:
            raise BleakError("[org.bluez.Error.InProgress] Operation already in progress")
        if self._radio.connecting:
            self._radio.overlaps.append("scan while connecting")
        self.seen_devices = {}
        self._radio.scanning = self
        self._radio.scans += 1
        for address in sorted(self._radio.on_air):
            self.hear(address)

    async def stop(self) -> None:
        if self._radio.scanning is self:
            self._radio.scanning = None

    def hear(self, address: str, rssi: int = -50, name: str | None = None, services: Iterable[int] = ()) -> None:
        known = self._radio.devices.get(address)
        told = AdvertisementData(
            local_name=name if name is not None else known and known.name,
            manufacturer_data={},
            service_data={},
            service_uuids=[long_uuid(each) for each in services],
            tx_power=None,
            rssi=rssi,
            platform_data=(),
        )
        self.call_detection_callbacks(self.create_or_update_device(address, address, told.local_name, {}, told), told)


class ScriptedClient(BaseBleakClient):
    def __init__(self, device: Any, *, radio: ScriptedRadio, **kwargs: Any) -> None:
        super().__init__(device, disconnected_callback=kwargs["disconnected_callback"], timeout=kwargs["timeout"])
        self._radio = radio
        self.device = radio.devices[self.address]
        self.device.clients.append(self)
        self.callbacks: dict[str, NotifyCallback] = {}
        self.told = False
        """True after a call of `disconnect`."""
        self._connected = False

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return 247

    @property
    def is_connected(self) -> bool:
        return self._connected

    def lose(self) -> None:
        """Call the disconnected callback, but keep the client's subscriptions, as faulty stacks do."""
        self._connected = False
        self.services = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        radio = self._radio
        if radio.connecting:
            radio.overlaps.append("two connects")
        if radio.scanning is not None:
            radio.overlaps.append("connect while scanning")
        radio.connecting += 1
        radio.order.append(self.address)
        try:
            await asyncio.sleep(0)
            await _act(self.device.connects)
        finally:
            radio.connecting -= 1
        self._connected = True
        self.services = _services(self.device.tables.pop(0) if self.device.tables else self.device.table)

    async def disconnect(self) -> None:
        self.told = True
        self.callbacks.clear()
        if self._connected:
            self.lose()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        await _act(self.device.pairs)
        if self.device.bonds:
            self.address = self.device.identity
            self._radio.bonds.add(self.address)

    async def unpair(self) -> None:
        await self._radio.forget(self.address)

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **kwargs: Any) -> bytearray:
        await _act(self.device.reads)
        return bytearray(b"Argus")

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **kwargs: Any) -> bytearray:
        raise BleakError("no descriptors here")

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: Any, response: bool) -> None:
        await _act(self.device.reads)

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: Any) -> None:
        raise BleakError("no descriptors here")

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        await _act(self.device.subscriptions)
        self.callbacks[characteristic.uuid] = callback

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        del self.callbacks[characteristic.uuid]


async def _act(script: list[Any]) -> None:
    """Execute the next script entry: raise the error, hang, or return for None or an empty script."""
    act = script.pop(0) if script else None
    if act is HANGS:
        await asyncio.get_running_loop().create_future()
    while isinstance(act, Stuck) and not act.freed.is_set():
        with suppress(asyncio.CancelledError):
            await act.freed.wait()
    if isinstance(act, BaseException):
        raise act


def _services(table: Table) -> BleakGATTServiceCollection:
    services = BleakGATTServiceCollection()
    handle = 1
    for number, characteristics in table.items():
        service = BleakGATTService(None, handle, long_uuid(number))
        services.add_service(service)
        handle += 1
        for uuid, properties in characteristics.items():
            services.add_characteristic(
                BleakGATTCharacteristic(None, handle, long_uuid(uuid), list(properties), lambda: 244, service)
            )
            handle += 1
    return services


class DecliningAgent:
    """A `PairingAgent` that enters no passkey and confirms no pairing."""

    async def passkey(self, address: str) -> int | None:
        return None

    async def confirm(self, address: str, passkey: int | None) -> bool:
        return False


def unavailable(words: str = "there is no adapter") -> BleUnavailable:
    """Return an error that `ScriptedRadio.open` raises if a test puts the error into the list `opens`."""
    return BleUnavailable(words)
