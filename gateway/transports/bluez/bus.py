"""Connection to org.bluez over D-Bus: method calls, and the signals that report lost adapters, devices and daemons.

It is separate from bleak's connection, because queries must work also when bleak's connection is broken. Nothing is
cached, so no response is stale.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from bleak.exc import BleakDBusError
from dbus_fast import BusType, Message, MessageType, Variant, unpack_variants
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, InvalidAddressError

from gateway.transports.ble.stack import BleUnavailable

BLUEZ: Final = "org.bluez"
ADAPTER: Final = "org.bluez.Adapter1"
DEVICE: Final = "org.bluez.Device1"
_DBUS: Final = "org.freedesktop.DBus"
_DBUS_PATH: Final = "/org/freedesktop/DBus"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"

# Only the signals that are needed: each advertisement that a scan hears makes a signal of its device.
_RULES: Final = (
    f"type='signal',sender='{_DBUS}',interface='{_DBUS}',member='NameOwnerChanged',arg0='{BLUEZ}'",
    f"type='signal',sender='{BLUEZ}',interface='{_OBJECTS}',member='InterfacesRemoved'",
    f"type='signal',sender='{BLUEZ}',interface='{_PROPERTIES}',member='PropertiesChanged',arg0='{ADAPTER}'",
)
_DEVICE_RULE: Final = (
    f"type='signal',sender='{BLUEZ}',interface='{_PROPERTIES}',member='PropertiesChanged',arg0='{DEVICE}',path='{{}}'"
)

Objects = dict[str, dict[str, dict[str, Any]]]
"""Objects of BlueZ: path → interface → property → value."""

_NO_BUS: Final = (
    "the D-Bus system bus cannot be reached ({}): no Bluetooth device can connect; install and start dbus and bluez "
    "(apt install dbus bluez; systemctl start dbus bluetooth)"
)
_NO_DAEMON: Final = (
    "bluetoothd is not running ({}): no Bluetooth device can connect; start it (systemctl start bluetooth), and look "
    "at its log where it does not stay up"
)
_FORBIDDEN: Final = (
    "this user may not talk to bluetoothd ({}): no Bluetooth device can connect; add it to the group bluetooth "
    "(usermod -aG bluetooth USER) and start the gateway again"
)


class BluezBus:
    """One D-Bus connection. `went(why)` reports that bluetoothd has disappeared or restarted. `removed(path)` reports
    that an object has lost its adapter or device interface. `changed(path, interface, properties)` reports changed
    properties of adapters, and of devices in a `watching` block."""

    def __init__(
        self,
        went: Callable[[str], None],
        removed: Callable[[str], None],
        changed: Callable[[str, str, Mapping[str, Any]], None],
    ) -> None:
        self._went = went
        self._removed = removed
        self._changed = changed
        self.bus = MessageBus(bus_type=BusType.SYSTEM)

    @classmethod
    async def connected(
        cls,
        went: Callable[[str], None],
        removed: Callable[[str], None],
        changed: Callable[[str, str, Mapping[str, Any]], None],
    ) -> BluezBus:
        """Return a connection to the D-Bus system bus. Raises BleUnavailable."""
        try:
            it = cls(went, removed, changed)
        except (OSError, InvalidAddressError) as error:
            raise BleUnavailable(_NO_BUS.format(_reason(error))) from error
        try:
            await it.bus.connect()
            for rule in _RULES:
                await it.call(_DBUS_PATH, _DBUS, "AddMatch", "s", rule, destination=_DBUS)
        except (OSError, EOFError, AuthError, InvalidAddressError) as error:
            it.bus.disconnect()
            raise BleUnavailable(_NO_BUS.format(_reason(error))) from error
        except BaseException:
            it.bus.disconnect()
            raise
        it.bus.add_message_handler(it._signalled)
        return it

    async def close(self) -> None:
        """Close the connection. Never raises."""
        self.bus.disconnect()
        with suppress(Exception):  # it raises the reason a second time
            await self._ended()

    async def call(
        self, path: str, interface: str, member: str, signature: str = "", *body: Any, destination: str = BLUEZ
    ) -> Any:
        """Call a D-Bus method. Return the first value of the response, or None if it is empty. Raises
        BleakDBusError."""
        reply = await self.bus.call(
            Message(
                destination=destination,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
            )
        )
        if reply.message_type is MessageType.ERROR:
            raise BleakDBusError(reply.error_name or "", reply.body)
        return unpack_variants(reply.body[0]) if reply.body else None

    async def objects(self) -> Objects:
        """Return every object of bluetoothd. Raises BleUnavailable if bluetoothd does not run or refuses access."""
        try:
            found: Objects = await self.call("/", _OBJECTS, "GetManagedObjects")
        except BleakDBusError as error:
            words = _FORBIDDEN if "AccessDenied" in error.dbus_error else _NO_DAEMON
            raise BleUnavailable(words.format(error.dbus_error.rpartition(".")[2])) from error
        return found

    async def property_of(self, path: str, interface: str, name: str) -> Any:
        """Return the value of a property. Raises BleakDBusError where it does not exist."""
        return await self.call(path, _PROPERTIES, "Get", "ss", interface, name)

    async def set_property(self, path: str, interface: str, name: str, value: Variant) -> None:
        """Set a property. Raises BleakDBusError."""
        await self.call(path, _PROPERTIES, "Set", "ssv", interface, name, value)

    @asynccontextmanager
    async def watching(self, path: str) -> AsyncIterator[None]:
        """While the block runs, pass changed properties of the device at `path` to the callback `changed` of this
        connection."""
        rule = _DEVICE_RULE.format(path)
        await self.call(_DBUS_PATH, _DBUS, "AddMatch", "s", rule, destination=_DBUS)
        try:
            yield
        finally:
            with suppress(BleakDBusError, EOFError, OSError):  # the bus may have ended meanwhile, its rules with it
                await self.call(_DBUS_PATH, _DBUS, "RemoveMatch", "s", rule, destination=_DBUS)

    async def broken(self) -> str:
        """Wait until the D-Bus connection has ended, and return the reason."""
        try:
            # Shielded: a cancelled caller would otherwise cancel the library's own future.
            await asyncio.shield(self._ended())
        except Exception as error:
            return f"the D-Bus connection broke ({_reason(error)})"
        return "the D-Bus connection has ended"

    def _ended(self) -> Awaitable[None]:
        ended: Awaitable[None] = self.bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast has no type here
        return ended

    def _signalled(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.body[0] == BLUEZ:
            _, before, now = message.body
            if before:
                self._went("bluetoothd has ended" if not now else "bluetoothd was started again")
        elif message.member == "InterfacesRemoved":
            path, interfaces = message.body
            if ADAPTER in interfaces or DEVICE in interfaces:
                self._removed(path)
        elif message.member == "PropertiesChanged" and message.path is not None:
            interface, properties, _ = message.body
            self._changed(message.path, interface, unpack_variants(properties))


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
