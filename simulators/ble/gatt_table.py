"""GATT table of a simulated device: its characteristics as Bumble's attributes, with their security and delays.

For an encrypted characteristic, Bumble refuses unencrypted reads but leaves the Client Characteristic Configuration
Descriptor writable. A device that encrypts protects this descriptor too, since a subscription delivers health data.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from bumble.att import ATT_Error, Attribute, AttributeValue
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Characteristic, Descriptor, Service
from bumble.gatt_server import Server

from protocols.ble.uuids import CLIENT_CHARACTERISTIC_CONFIGURATION
from simulators.ble.sensor import ACCEPTED, Offered, Way

Pause = Callable[[], Awaitable[None]]
"""Waits for the time that the device takes to respond."""

_WAYS = {Way.NOTIFIED: Characteristic.Properties.NOTIFY, Way.INDICATED: Characteristic.Properties.INDICATE}
_PERMISSIONS = Attribute.Permissions


def add_table(
    server: Server, offered: Sequence[Offered], *, encrypts: bool, pause: Pause, written: Callable[[], None]
) -> Mapping[int, Characteristic[bytes]]:
    """Add the services of the characteristics `offered` to the server. Return the characteristics by UUID. `pause` is
    awaited before each read and write; `written` is called after each accepted write."""
    table: dict[int, Characteristic[bytes]] = {}
    for service in dict.fromkeys(each.service for each in offered):
        of_it = [each for each in offered if each.service == service]
        made = {each.uuid: _characteristic(server, each, encrypts and each.guarded, pause, written) for each in of_it}
        server.add_service(Service(UUID.from_16_bits(service), list(made.values())))
        table.update(made)
    return table


def _characteristic(
    server: Server, offered: Offered, guarded: bool, pause: Pause, written: Callable[[], None]
) -> Characteristic[bytes]:
    properties, permissions = Characteristic.Properties(0), _PERMISSIONS(0)
    if offered.read is not None:
        properties |= Characteristic.Properties.READ
        permissions |= _PERMISSIONS.READABLE
    if offered.write is not None:
        properties |= Characteristic.Properties.WRITE
        permissions |= _PERMISSIONS.WRITEABLE
    if guarded:
        permissions |= _PERMISSIONS.READ_REQUIRES_ENCRYPTION | _PERMISSIONS.WRITE_REQUIRES_ENCRYPTION
    if offered.way is not None:
        properties |= _WAYS[offered.way]
    made = Characteristic[bytes](
        UUID.from_16_bits(offered.uuid), properties, permissions, _value(offered, pause, written), descriptors=()
    )
    if offered.way is not None and guarded:
        made.descriptors = [_guarded_subscription(server, made)]
    return made


def _guarded_subscription(server: Server, of: Characteristic[bytes]) -> Descriptor:
    permissions = _PERMISSIONS.READABLE | _PERMISSIONS.WRITEABLE | _PERMISSIONS.WRITE_REQUIRES_ENCRYPTION
    return Descriptor(
        UUID.from_16_bits(CLIENT_CHARACTERISTIC_CONFIGURATION), permissions, server.make_descriptor_value(of)
    )


def _value(offered: Offered, pause: Pause, written: Callable[[], None]) -> AttributeValue[bytes]:
    async def read(connection: Connection) -> bytes:
        await pause()
        return b"" if offered.read is None else offered.read()

    async def write(connection: Connection, octets: bytes) -> None:
        await pause()
        if offered.write is None:
            return
        error = offered.write(octets)
        if error != ACCEPTED:
            raise ATT_Error(error_code=error)
        written()

    return AttributeValue(read=read, write=write)
