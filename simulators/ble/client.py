"""bleak's client backend for the virtual radio, selected by bleak's argument `backend=`.

It behaves as bleak's BlueZ backend with bluetoothd:

- The link to a bonded peer is encrypted before any attribute is accessed. A peer that lacks the keys is disconnected
  before any access. After three such attempts `connect` raises the same BleakError as the gateway's own BlueZ client
  (`gateway.transports.bluez.client`).
- An attribute that requires security starts a pairing. If pairing fails, the request fails with ATT error 0x0E.
- After the link has ended the services are None and requests raise BleakError. The disconnected callback is called also
  after a local disconnect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

import structlog
from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError
from bumble import att, core, gatt
from bumble.device import Connection, Peer
from bumble.gatt_client import CharacteristicProxy, DescriptorProxy

from simulators.ble.central import Central, LinkEnded, during, stands
from simulators.ble.scanner import uuid_of

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Core Vol 3 Part F 3.3.3: a request without a response within 30 s; the bearer is then unusable, and BlueZ disconnects.
_REQUEST_TIMEOUT_S = 30.0
_ATT_MTU = 517
_TRIES_WITH_KEYS = 3
_WANTS_SECURITY = (
    att.ErrorCode.INSUFFICIENT_AUTHENTICATION,
    att.ErrorCode.INSUFFICIENT_ENCRYPTION,
    att.ErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
)


class VirtualClient(BaseBleakClient):
    """bleak's client backend for one device. The radio's central is passed to it in bleak's keyword arguments."""

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        services: set[str] | None = None,
        central: Central | None,
        **_other_backends: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        known = address_or_ble_device.name if isinstance(address_or_ble_device, BLEDevice) else None
        self._name = known or self.address.replace(":", "-")
        self._central = central
        self._wanted = services
        self._link: Connection | None = None
        self._peer: Peer | None = None

    # Properties

    @property
    def name(self) -> str:
        """Advertised name, or the address with dashes."""
        return self._name

    @property
    def mtu_size(self) -> int:
        """ATT MTU in bytes; 23 before the MTU exchange."""
        return self._link.att_mtu if self._link is not None else att.ATT_DEFAULT_MTU

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    # Link

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect to the device, and pair if `pair` is True. Cancel-safe. Raises BleakDeviceNotFoundError,
        TimeoutError, BleakError."""
        if self.is_connected:
            raise BleakError("Client is already connected")
        central = self._usable()
        async with asyncio.timeout(kwargs.get("timeout", self._timeout)):
            for _ in range(_TRIES_WITH_KEYS):
                self._take(await central.join(self.address))
                if await self._begin(central, pair):
                    return
        raise BleakError("PIN or Key Missing: the link breaks whenever it is encrypted")

    async def disconnect(self) -> None:
        link, central = self._link, self._central
        if link is None or central is None:
            return
        try:
            await central.part(link)
        finally:
            self._over(link)

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        """Pair and bond with the device. Do nothing if there is a bond. Raises BleakDBusError with
        BlueZ's error names."""
        central, link = self._usable(), self._connected()
        if not central.bonds.has(self.address):
            await self._pair(central, link)

    async def unpair(self) -> None:
        """Delete the bond and end the link. Raises BleakDeviceNotFoundError where the device is unknown."""
        central = self._usable()
        if self._link is None and not central.bonds.has(self.address):
            central.on_air(self.address)
        await central.forget(self.address)
        await self.disconnect()

    # Attributes

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        return await self._read(characteristic.obj)

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        return await self._read(descriptor.obj)

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        peer, octets = self._attached(), bytes(data)
        if not response and len(octets) > self.mtu_size - 3:
            raise BleakGATTProtocolError(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        await self._request(lambda: peer.gatt_client.write_value(characteristic.obj, octets, with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        peer, octets = self._attached(), bytes(data)
        await self._request(lambda: peer.gatt_client.write_value(descriptor.obj, octets, with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        """Subscribe to notifications, or to indications where the device has no notifications, as BlueZ does. An
        indication is confirmed when `callback` has returned."""
        peer = self._attached()
        proxy, cccd = cast("CharacteristicProxy[bytes]", characteristic.obj), _cccd(characteristic)
        notified = bool(proxy.properties & gatt.Characteristic.Properties.NOTIFY)

        def arrived(octets: bytes) -> None:
            try:
                callback(bytearray(octets))
            except Exception as error:
                # An error of the application must not prevent the confirmation to the device.
                log.exception("notification.callback_failed", error=type(error).__name__)

        client = peer.gatt_client
        takers = client.notification_subscribers if notified else client.indication_subscribers
        takers[proxy.handle] = {arrived}
        bits = b"\x01\x00" if notified else b"\x02\x00"
        try:
            await self._request(lambda: client.write_value(cccd, bits, with_response=True))
        except BaseException:
            takers.pop(proxy.handle, None)
            raise

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        peer = self._attached()
        client, handle = peer.gatt_client, characteristic.obj.handle
        await self._request(lambda: client.write_value(_cccd(characteristic), b"\x00\x00", with_response=True))
        client.notification_subscribers.pop(handle, None)
        client.indication_subscribers.pop(handle, None)

    # Internal

    def _usable(self) -> Central:
        if self._central is None or not self._central.up:
            raise BleakError(f"device '{self.address}' not found")
        return self._central

    def _connected(self) -> Connection:
        if self._link is None:
            raise BleakError("Not connected")
        return self._link

    def _attached(self) -> Peer:
        self._connected()
        if self._peer is None:
            raise BleakError("Service Discovery has not been performed yet")
        return self._peer

    def _take(self, link: Connection) -> None:
        self._link = link
        link.once(link.EVENT_DISCONNECTION, lambda *_reason: self._over(link))

    def _over(self, link: Connection) -> None:
        """Handle the end of the link, whichever side ended it. Only the first call for a link has an effect."""
        if self._link is not link:
            return
        self._link = self._peer = None
        self.services = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def _begin(self, central: Central, pair: bool) -> bool:
        """Encrypt the link if the device is bonded; otherwise pair if `pair` is True. Then discover the device's
        services. Return False if the device lacks the keys of our bond."""
        link = self._connected()
        bonded = central.bonds.has(self.address)
        try:
            if not bonded and pair:
                await self._pair(central, link)
            if not bonded or await during(link, central.encrypt(link), _REQUEST_TIMEOUT_S):
                await self._discover(link)
                return True
        except LinkEnded as error:
            if not bonded or link.is_encrypted:
                raise BleakError("failed to discover services, device disconnected") from error
        finally:
            if self.services is None or not stands(link):
                await central.part(link)
                self._over(link)
        return False

    async def _pair(self, central: Central, link: Connection) -> None:
        try:
            await during(link, central.pair(link))
        except LinkEnded as error:
            raise BleakDBusError("org.bluez.Error.AuthenticationCanceled", ["Authentication Canceled"]) from error
        self.address = link.peer_address.to_string(False)

    async def _discover(self, link: Connection) -> None:
        peer = Peer(link)
        try:
            await during(link, _look(peer), _REQUEST_TIMEOUT_S)
        except (core.BaseBumbleError, TimeoutError) as error:
            raise BleakError("failed to discover services, device disconnected") from error
        if not stands(link):
            raise LinkEnded
        self._peer = peer
        self.services = self._described(peer, link)

    def _described(self, peer: Peer, link: Connection) -> BleakGATTServiceCollection:
        described = BleakGATTServiceCollection()
        for service in peer.services:
            uuid = uuid_of(service.uuid.to_bytes(force_128=True))
            if self._wanted is not None and uuid not in self._wanted:
                continue
            ours = BleakGATTService(service, service.handle, uuid)
            described.add_service(ours)
            for proxy in service.characteristics:
                names = sorted(gatt_char_props_to_strs(proxy.properties))
                uuid = uuid_of(proxy.uuid.to_bytes(force_128=True))
                characteristic = BleakGATTCharacteristic(
                    proxy, proxy.handle, uuid, names, lambda: link.att_mtu - 3, ours
                )
                described.add_characteristic(characteristic)
                for descriptor in proxy.descriptors:
                    uuid = uuid_of(descriptor.type.to_bytes(force_128=True))
                    described.add_descriptor(BleakGATTDescriptor(descriptor, descriptor.handle, uuid, characteristic))
        return described

    async def _read(self, attribute: CharacteristicProxy[bytes] | DescriptorProxy) -> bytearray:
        peer = self._attached()
        return bytearray(await self._request(lambda: peer.gatt_client.read_value(attribute)))

    async def _request(self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Send one ATT request. If the device requires more security, pair where there is no bond, and repeat the
        request."""
        link = self._connected()
        try:
            return await self._complete(link, request())
        except att.ATT_Error as error:
            code = error.error_code
            if code not in _WANTS_SECURITY:
                raise BleakGATTProtocolError(code) from error
        try:
            await self._secure(link)
            return await self._complete(link, request())
        except (att.ATT_Error, BleakDBusError) as error:
            raise BleakGATTProtocolError(att.ErrorCode.UNLIKELY_ERROR) from error

    async def _secure(self, link: Connection) -> None:
        central = self._usable()
        if not central.bonds.has(self.address):
            await self._pair(central, link)

    async def _complete(self, link: Connection, request: Coroutine[Any, Any, T]) -> T:
        try:
            return await during(link, request, _REQUEST_TIMEOUT_S)
        except LinkEnded as error:
            raise BleakError("Not connected") from error
        except (TimeoutError, core.TimeoutError) as error:
            await self.disconnect()
            raise BleakGATTProtocolError(att.ErrorCode.UNLIKELY_ERROR) from error


async def _look(peer: Peer) -> None:
    await peer.request_mtu(_ATT_MTU)
    await peer.discover_services()
    for service in peer.services:
        await peer.discover_characteristics((), service)
    for service in peer.services:
        for characteristic in service.characteristics:
            await peer.discover_descriptors(characteristic)


def _cccd(characteristic: BleakGATTCharacteristic) -> DescriptorProxy:
    proxy = cast("CharacteristicProxy[bytes]", characteristic.obj)
    found = proxy.get_descriptor(gatt.GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR)
    if found is None or not proxy.properties & (
        gatt.Characteristic.Properties.NOTIFY | gatt.Characteristic.Properties.INDICATE
    ):
        raise BleakGATTProtocolError(att.ErrorCode.REQUEST_NOT_SUPPORTED)
    return found
