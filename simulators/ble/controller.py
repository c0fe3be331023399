"""Bluetooth LE controller in software: Bumble's, with fixes for the defects of Bumble 0.0.236 that affect a gateway.

Fixed:

- a connection attempt can be cancelled (it hung for ever, and so did every later attempt);
- data reach the correct end of a link;
- a local disconnect has reason 0x16, and a disconnect of an unknown link is refused;
- advertising intervals are in units of 0.625 ms;
- a scan response is the advertiser's own;
- the signal strength varies;
- a reset resets the controller;
- connection handles are not reused at once, so that late data of an earlier link do not arrive on a new one;
- data packets have up to 251 bytes, which present-day notifications need.

Not fixed, and ignored: accept list for scanning, duplicate filter, event masks, connection intervals. Extended
advertising, periodic advertising and controller privacy are not declared as supported: Linux would wait for events that
Bumble does not send, and no simulated device needs them.
"""

from __future__ import annotations

import asyncio
import dataclasses

import structlog
from bumble import hci
from bumble.controller import Controller, LegacyAdvertiser

from simulators.ble.ether import Ether
from simulators.ble.joining import not_connected
from simulators.ble.link_layer import CREDITS, LinkEnd, LinkLayer

log = structlog.get_logger(__name__)

_INTERVAL_UNIT_S = 0.000625
# Core 5.4 Vol 4 Part E 7.8.5: the shortest interval of connectable advertising is 20 ms.
_INTERVAL_MIN_S = 0.02
_NOT_CLAIMED = (
    hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING | hci.LeFeatureMask.LL_PRIVACY
)
_ERROR = hci.HCI_ErrorCode

# A device with a public address sets it in its controller. Not Broadcom's opcode for it, 0x0001, under which Bumble's
# Intel driver registers a command of its own whenever it is imported.
HCI_WRITE_BD_ADDR_COMMAND = hci.HCI_VENDOR_OGF << 10 | 0x03BD
hci.HCI_Command.register_commands({"HCI_WRITE_BD_ADDR_COMMAND": HCI_WRITE_BD_ADDR_COMMAND})


@hci.HCI_SyncCommand.sync_command(hci.HCI_StatusReturnParameters)
@dataclasses.dataclass
class HCI_Write_BD_ADDR_Command(hci.HCI_SyncCommand[hci.HCI_StatusReturnParameters]):  # noqa: N801  # Bumble's form
    """Vendor command that sets the controller's public address."""

    bd_addr: hci.Address = dataclasses.field(metadata=hci.metadata(hci.Address.parse_address))


class _Advertiser(LegacyAdvertiser):
    """Bumble's legacy advertiser with its interval in units of 0.625 ms; Bumble takes the number for milliseconds."""

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        interval_s = max(self.advertising_interval_min * _INTERVAL_UNIT_S, _INTERVAL_MIN_S)
        self.timer_handle = asyncio.get_running_loop().call_later(interval_s, self._on_timer_fired)


class RadioController(LinkLayer):
    """Controller on an ether (a simulated radio). `host` is the packet sink that sends the controller's packets to the
    Bluetooth host."""

    le_acl_data_packet_length = 251
    total_num_le_acl_data_packets = CREDITS
    supported_max_tx_octets = 251
    supported_max_rx_octets = 251
    suggested_max_tx_octets = 251
    le_features = Controller.le_features & ~_NOT_CLAIMED

    def __init__(self, name: str, ether: Ether) -> None:
        super().__init__(name, ether, ether.counts, ether.next_serial())
        self.le_legacy_advertiser = _Advertiser(self)

    # HCI: Bumble dispatches by these names

    def on_packet(self, packet: bytes) -> None:
        """Process a packet of the host. Malformed ones are counted and dropped, so that no host can stop the radio."""
        if packet[:1] == b"\x02":
            end = self.find_le_connection_by_handle(int.from_bytes(packet[1:3], "little") & 0x0FFF)
            if isinstance(end, LinkEnd):
                end.forward(packet)
            return
        try:
            command = hci.HCI_Packet.from_bytes(packet)
            if isinstance(command, hci.HCI_Command):
                self.on_hci_command_packet(command)
        except Exception as error:
            self.counts["commands that could not be handled"] += 1
            log.warning("radio.command_failed", station=self.name, error=type(error).__name__)

    def on_hci_command(self, command: hci.HCI_Command) -> hci.HCI_StatusReturnParameters:
        """Respond to an unsupported command with the error "unknown HCI command". The response is a Command Complete
        event or a Command Status event, as the type of the command requires."""
        if isinstance(command, hci.HCI_SyncCommand):
            return hci.HCI_StatusReturnParameters(_ERROR.UNKNOWN_HCI_COMMAND_ERROR)
        self._send_hci_command_status(_ERROR.UNKNOWN_HCI_COMMAND_ERROR, command.op_code)
        return None  # type: ignore[return-value]  # Bumble's dispatcher wants None of these

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Reset the controller (Core Vol 4 Part E 7.3.2)."""
        self.go_quiet()
        self.accept_list.clear()
        for end in self.link_ends():
            partner = end.partner
            end.end(None)
            if partner is not None:
                partner.end(_ERROR.CONNECTION_TIMEOUT_ERROR)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_write_bd_addr_command(self, command: HCI_Write_BD_ADDR_Command) -> hci.HCI_StatusReturnParameters:
        self.public_address = hci.Address(bytes(command.bd_addr), hci.Address.PUBLIC_DEVICE_ADDRESS)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        """Begin a connection attempt, or refuse it as a real controller does (Core Vol 4 Part E 7.8.12)."""
        if self.pending_le_connection is not None:
            status = _ERROR.COMMAND_DISALLOWED_ERROR
        elif self.full:
            status = _ERROR.CONNECTION_LIMIT_EXCEEDED_ERROR
        elif not command.initiator_filter_policy and command.peer_address in self.le_connections:
            status = _ERROR.CONNECTION_ALREADY_EXISTS_ERROR
        else:
            self.pending_le_connection = command
            status = _ERROR.SUCCESS
        self._send_hci_command_status(status, command.op_code)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Cancel the connection attempt (Core Vol 4 Part E 7.8.13); the host then gets a failed Connection Complete."""
        wanted = self.pending_le_connection
        if wanted is None:
            return hci.HCI_StatusReturnParameters(_ERROR.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        failed = not_connected(wanted.peer_address, _ERROR.UNKNOWN_CONNECTION_IDENTIFIER_ERROR)
        # After the response to this command.
        asyncio.get_running_loop().call_soon(self.send_hci_packet, failed)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_disconnect_command(self, command: hci.HCI_Disconnect_Command) -> None:
        """End a link (Core Vol 4 Part E 7.1.6) with reason 0x16 at this end and the given reason at the peer. A peer
        that is out of range gets a supervision timeout instead."""
        end = self.find_le_connection_by_handle(command.connection_handle)
        if not isinstance(end, LinkEnd) or end.partner is None:
            self._send_hci_command_status(_ERROR.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
            return
        self._send_hci_command_status(_ERROR.SUCCESS, command.op_code)
        partner, heard = end.partner, not end.blocked
        end.end(_ERROR.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)
        partner.end(command.reason if heard else _ERROR.CONNECTION_TIMEOUT_ERROR)

    def on_hci_read_rssi_command(self, command: hci.HCI_Read_RSSI_Command) -> hci.HCI_Read_RSSI_ReturnParameters:
        """Return the signal strength of the other end of a link (Core Vol 4 Part E 7.5.4)."""
        end = self.find_le_connection_by_handle(command.handle)
        partner = end.partner if isinstance(end, LinkEnd) else None
        return hci.HCI_Read_RSSI_ReturnParameters(
            status=_ERROR.UNKNOWN_CONNECTION_IDENTIFIER_ERROR if partner is None else _ERROR.SUCCESS,
            handle=command.handle,
            rssi=0 if partner is None else partner.station.rssi_dbm,
        )

    def on_hci_le_clear_filter_accept_list_command(
        self, _command: hci.HCI_LE_Clear_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Clear the accept list (Core Vol 4 Part E 7.8.15)."""
        self.accept_list.clear()
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_le_add_device_to_filter_accept_list_command(
        self, command: hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Add a device to the accept list (Core Vol 4 Part E 7.8.16), through which Linux connects to known devices."""
        if len(self.accept_list) >= self.filter_accept_list_size:
            return hci.HCI_StatusReturnParameters(_ERROR.MEMORY_CAPACITY_EXCEEDED_ERROR)
        self.accept_list.add(command.address)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_le_remove_device_from_filter_accept_list_command(
        self, command: hci.HCI_LE_Remove_Device_From_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Remove a device from the accept list (Core Vol 4 Part E 7.8.17)."""
        self.accept_list.discard(command.address)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)
