"""bleak's scanner backend for the virtual radio, selected by bleak's argument `backend=`.

Only one scanner may run at a time, since BlueZ refuses a second scanner in one process. As with BlueZ, a bonded device
with a resolvable private address is reported by its identity address.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError
from bleak.uuids import normalize_uuid_str
from bumble import core, hci
from bumble.core import AdvertisingData
from bumble.device import Advertisement

from simulators.ble.central import Central

log = structlog.get_logger(__name__)

_SERVICES = {
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}
_NAMES = (AdvertisingData.COMPLETE_LOCAL_NAME, AdvertisingData.SHORTENED_LOCAL_NAME)
# Limit of addresses with an advertisement whose scan response is pending; devices that rotate theirs would fill it.
_ACCUMULATORS_MAX = 1000


class VirtualScanner(BaseBleakScanner):
    """bleak's scanner backend. The radio's central is passed to it in bleak's keyword arguments
    (`VirtualRadio.scanner`)."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str = "active",
        *,
        central: Central | None,
        **_other_backends: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._central = central
        self._active = scanning_mode != "passive"

    async def start(self) -> None:
        """Start scanning. Raises BleakBluetoothNotAvailableError, and BleakDBusError while another scanner runs."""
        central = self._central
        if central is None or not central.up:
            raise _no_adapter()
        if central.on_advertisement is not None:
            raise BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"])
        self.seen_devices = {}
        central.on_advertisement = self.heard
        try:
            await central.device.start_scanning(active=self._active)
        except (core.BaseBumbleError, hci.HCI_Error, TimeoutError) as error:
            central.on_advertisement = None
            raise _no_adapter() from error
        except BaseException:
            central.on_advertisement = None
            raise

    async def stop(self) -> None:
        """Stop scanning. May be called in any state."""
        central = self._central
        if central is None or central.on_advertisement != self.heard:
            return
        central.on_advertisement = None
        if not central.up:
            return
        try:
            await central.device.stop_scanning()
        except (core.BaseBumbleError, hci.HCI_Error, TimeoutError) as error:
            raise _no_adapter() from error

    def heard(self, advertisement: Advertisement) -> None:
        """Report an advertisement to bleak's callbacks, and record the device in the central."""
        central = self._central
        if central is None:
            return
        if len(central.device.advertisement_accumulators) > _ACCUMULATORS_MAX:
            central.device.advertisement_accumulators.clear()
        on_air = advertisement.address
        identity = on_air
        if on_air.is_resolvable and central.device.address_resolver is not None:
            identity = central.device.address_resolver.resolve(on_air) or on_air
        address = identity.to_string(False)
        central.remember(address, on_air)
        data = _advertisement_data(advertisement)
        if not self.is_allowed_uuid(data.service_uuids):
            return
        name = data.local_name or address.replace(":", "-")
        device = self.create_or_update_device(address, address, name, {"on_air": str(on_air)}, data)
        try:
            self.call_detection_callbacks(device, data)
        except Exception as error:
            # A callback of the application; the radio continues.
            log.exception("scan.callback_failed", error=type(error).__name__)


def _advertisement_data(advertisement: Advertisement) -> AdvertisementData:
    local_name: str | None = None
    services: list[str] = []
    manufacturers: dict[int, bytes] = {}
    service_data: dict[str, bytes] = {}
    tx_power: int | None = None
    for kind, content in advertisement.data.ad_structures:
        if kind in _NAMES and content:
            if local_name is None or kind == AdvertisingData.COMPLETE_LOCAL_NAME:
                local_name = content.decode("utf-8", errors="replace")
        elif width := _SERVICES.get(kind):
            for at in range(0, len(content) - width + 1, width):
                uuid = uuid_of(content[at : at + width])
                if uuid not in services:
                    services.append(uuid)
        elif kind == AdvertisingData.MANUFACTURER_SPECIFIC_DATA and len(content) >= 2:
            manufacturers[int.from_bytes(content[:2], "little")] = content[2:]
        elif kind == AdvertisingData.SERVICE_DATA_16_BIT_UUID and len(content) >= 2:
            service_data[uuid_of(content[:2])] = content[2:]
        elif kind == AdvertisingData.TX_POWER_LEVEL and len(content) == 1:
            tx_power = int.from_bytes(content, "little", signed=True)
    return AdvertisementData(
        local_name=local_name,
        manufacturer_data=manufacturers,
        service_data=service_data,
        service_uuids=services,
        tx_power=tx_power,
        rssi=advertisement.rssi,
        platform_data=(advertisement.is_connectable,),
    )


def uuid_of(octets: bytes) -> str:
    """Convert a UUID of 2 or 16 bytes in little-endian order to bleak's form: 128 bits, lower case, with dashes."""
    return normalize_uuid_str(octets[::-1].hex() if len(octets) == 2 else str(UUID(bytes=octets[::-1])))


def _no_adapter() -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError(
        "No Bluetooth adapters found.", BleakBluetoothNotAvailableReason.NO_BLUETOOTH
    )
