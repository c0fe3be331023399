"""Join an initiator to the advertiser that it received: make two ends, join them, notify both hosts.

The initiator is joined to the advertiser itself and not to an address, so a spoofer and the true device stay distinct.
Refusals are those of a real radio: 0x3E when the advertiser has just stopped or has no free link.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from bumble import hci
from bumble.core import PhysicalTransport

from simulators.ble.link_end import LinkEnd

if TYPE_CHECKING:
    from simulators.ble.controller import RadioController

_ERROR = hci.HCI_ErrorCode


def is_meant(
    command: hci.HCI_LE_Create_Connection_Command, address: hci.Address, accept_list: Set[hci.Address]
) -> bool:
    """Return whether the initiator waits for this advertiser."""
    return address in accept_list if command.initiator_filter_policy else command.peer_address == address


def join(
    central: RadioController,
    advertiser: RadioController,
    command: hci.HCI_LE_Create_Connection_Command,
    address: hci.Address,
) -> None:
    """Link the two; `address` is the one that the advertiser uses."""
    own = central.random_address if command.own_address_type & 1 else central.public_address
    if address in central.le_connections or own in advertiser.le_connections:
        return  # a second device with the address of a connected one: a radio does not connect to it
    central.pending_le_connection = None
    advertising = advertiser.le_legacy_advertiser
    if advertiser.silent or not advertising.enabled or len(advertiser.le_connections) >= advertiser.links_max:
        central.send_hci_packet(not_connected(address, _ERROR.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR))
        return
    advertising.stop()
    there = _new_end(advertiser, hci.Role.PERIPHERAL, address, own, command)
    here = _new_end(central, hci.Role.CENTRAL, own, address, command)
    here.partner, there.partner = there, here
    central.ether.counts["links"] += 1
    for end in (there, here):
        end.station.send_hci_packet(_connected(end, command))


def not_connected(peer: hci.Address, status: int) -> hci.HCI_LE_Connection_Complete_Event:
    """Return the event for a failed attempt."""
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
    station: RadioController,
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
        link=station.ether,
        transport=PhysicalTransport.LE,
        link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
    )
    end.supervision_s = command.supervision_timeout / 100
    station.le_connections[peer] = end
    return end
