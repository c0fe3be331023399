"""BlueZ, the Bluetooth stack of Linux. The setting `ble_backend` names `gateway.transports.bluez:BluezBackend`."""

from gateway.transports.bluez.backend import BluezBackend

__all__ = ["BluezBackend"]
