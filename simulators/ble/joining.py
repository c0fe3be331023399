"""Handling of an advertising event at a controller that scans or initiates: report it to the host, or make a link.

The initiator is linked to the advertiser whose event it received, not to an address, so a spoofed device and the true
device remain distinct. The attempt fails with 0x3E if the advertiser has just stopped or has no free link.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from bumble import hci
from bumble.core import PhysicalTransport

from simulators.ble.link_layer import LinkEnd, LinkLayer

_ERROR = hci.HCI_ErrorCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Advertising event as a listening controller receives it."""

    advertiser: LinkLayer
    address: hci.Address
    data: bytes
    scan_response: bytes
    rssi_dbm: int


def hear(station: LinkLayer, heard: Heard) -> None:
    """Handle an advertising event at `station`: report it to the host if `station` scans, and link `station` to the
    advertiser if `station` tries to connect to it."""
    if not station.listens:
        return
    if station.le_scan_enable:
        _report(station, heard)
    wanted = cast("hci.HCI_LE_Create_Connection_Command | None", station.pending_le_connection)
    if wanted is None:
        return
    if heard.address in station.accept_list if wanted.initiator_filter_policy else heard.address == wanted.peer_address:
        _join(station, heard.advertiser, wanted, heard.address)


def _report(station: LinkLayer, heard: Heard) -> None:
    kinds = hci.HCI_LE_Advertising_Report_Event.EventType
    parts = [(kinds.ADV_IND, heard.data)]
    if station.le_scan_type:  # active scanning: a scan response follows, even an empty one
        parts.append((kinds.SCAN_RSP, heard.scan_response))
    for kind, data in parts:
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=kind,
            address_type=heard.address.address_type,
            address=heard.address,
            data=data,
            rssi=heard.rssi_dbm,
        )
        station.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))


def _join(
    central: LinkLayer,
    advertiser: LinkLayer,
    command: hci.HCI_LE_Create_Connection_Command,
    address: hci.Address,
) -> None:
    """Make a link between two controllers, or report a failed attempt to the central. `address` is the address with
    which the advertiser advertises."""
    own = central.random_address if command.own_address_type & 1 else central.public_address
    if address in central.le_connections or own in advertiser.le_connections:
        return  # a second device with the address of a connected one: a radio does not connect to it
    central.pending_le_connection = None
    advertising = advertiser.le_legacy_advertiser
    if advertiser.silent or not advertising.enabled or advertiser.full:
        central.send_hci_packet(not_connected(address, _ERROR.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR))
        return
    advertising.stop()
    there = _new_end(advertiser, hci.Role.PERIPHERAL, address, own, command)
    here = _new_end(central, hci.Role.CENTRAL, own, address, command)
    here.partner, there.partner = there, here
    central.counts["links"] += 1
    for end in (there, here):
        end.station.send_hci_packet(_connected(end, command))


def not_connected(peer: hci.Address, status: int) -> hci.HCI_LE_Connection_Complete_Event:
    """Return the Connection Complete event of a failed attempt to connect to `peer`."""
    return hci.HCI_LE_Connection_Complete_Event(
        status=status,
        connection_handle=0,
        role=hci.Role.CENTRAL,
        peer_address_type=peer.address_type,
        peer_address=peer,
        connection_interval=0,
        peripheral_latency=0,
        supervision_timeout=0,
        central_clock_accuracy=0,
    )


def _connected(end: LinkEnd, command: hci.HCI_LE_Create_Connection_Command) -> hci.HCI_LE_Connection_Complete_Event:
    return hci.HCI_LE_Connection_Complete_Event(
        status=_ERROR.SUCCESS,
        connection_handle=end.handle,
        role=end.role,
        peer_address_type=end.peer_address.address_type,
        peer_address=end.peer_address,
        connection_interval=command.connection_interval_min,
        peripheral_latency=command.max_latency,
        supervision_timeout=command.supervision_timeout,
        central_clock_accuracy=0,
    )


def _new_end(
    station: LinkLayer,
    role: hci.Role,
    own: hci.Address,
    peer: hci.Address,
    command: hci.HCI_LE_Create_Connection_Command,
) -> LinkEnd:
    end = LinkEnd(
        controller=station,
        handle=station.allocate_connection_handle(),
        role=role,
        self_address=own,
        peer_address=peer,
        link=station.link,
        transport=PhysicalTransport.LE,
        link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
    )
    end.supervision_s = command.supervision_timeout / 100
    station.le_connections[peer] = end
    return end
