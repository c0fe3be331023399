"""Build the known devices from the table of devices in the store, their histories, and the pairings.

A row of an earlier release has no class of link, so the class is taken from the history and from the pairings. The
known devices are built at the start of the gateway, and in commands that read the files of a gateway that is not
running.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from gateway.buffer import StoredDevice
from gateway.buffer.ble_devices import PairedDevice
from gateway.sessions.devices.history import DeviceHistory
from gateway.sessions.devices.link_class import LinkClass, class_named, stronger
from gateway.sessions.devices.presence import NAME_LENGTH_MAX
from gateway.sessions.devices.roster import KnownDevice
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.dim.identity import identity_of


def known_devices(
    rows: Iterable[StoredDevice],
    report_of: Callable[[str], DeviceHistory | None],
    paired: Iterable[PairedDevice],
) -> list[KnownDevice]:
    """Return the known devices in the order of `rows`, the rows of the store's table of devices. `report_of` returns
    the history of a system id."""
    by_pairing = {
        each.system_id: LinkClass.BONDED if each.bonded else LinkClass.PAIRED for each in paired if each.system_id
    }
    return [
        met_device(
            KnownDevice(
                row.system_id,
                row.model,
                last_seen_us=row.last_seen_us,
                link_class=stronger(class_named(row.link_class), by_pairing.get(row.system_id, LinkClass.UNKNOWN)),
                accepted_us=row.accepted_us,
            ),
            report_of(row.system_id),
        )
        for row in rows
    ]


def met_device(device: KnownDevice, report: DeviceHistory | None) -> KnownDevice:
    """Return `device`, completed from its history `report`: names, time last seen, and whether a cable connected the
    device."""
    if report is None:
        return device
    attributes = tuple(AvaType(number, value) for number, value in report.attributes)
    identity = identity_of(bytes.fromhex(report.system_id), attributes)
    was_cabled = any(link.startswith("serial:") for link in report.links)
    return replace(
        device,
        model=identity.model[:NAME_LENGTH_MAX] or device.model,
        manufacturer=identity.manufacturer[:NAME_LENGTH_MAX],
        serial_number=identity.serial_number[:NAME_LENGTH_MAX],
        last_seen_us=max(report.last_us, device.last_seen_us or 0),
        link_class=stronger(device.link_class, LinkClass.SERIAL) if was_cabled else device.link_class,
    )
