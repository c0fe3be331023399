"""A Bluetooth LE controller in software: Bumble's, with fixes for the defects of 0.0.236 that affect a gateway.

Fixed: a connection attempt can be cancelled (it hung forever, and so did every later one); data are delivered to the
correct end; a local disconnect has reason 0x16 and a disconnect of an unknown link is refused; advertising intervals
are in 0.625 ms; the scan response is the device's own; the signal strength varies; a reset resets; handles are not
reused at once (late data of an earlier link must not arrive on a new one); data packets of 251 bytes, which present-day
notifications need. Extended advertising, periodic advertising and controller privacy are not claimed: Linux would wait
for events that Bumble does not send, and no simulated device needs them.

Not fixed: accept list for scanning, duplicate filter, event masks, connection intervals (all ignored).
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import cast

import structlog
from bumble import hci, ll
from bumble.controller import Connection, Controller, LegacyAdvertiser
from bumble.transport.common import TransportSink

from simulators.ble.ether import RSSI_DBM, Ether, Heard
from simulators.ble.joining import is_meant, join, not_connected
from simulators.ble.link_end import CREDITS, LinkEnd

log = structlog.get_logger(__name__)

# Limit of a good USB adapter. More than any vehicle uses; a test of slots sets fewer.
LINKS_MAX = 20
_HANDLES = range(0x0001, 0x0EFF + 1)
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
    """Set the public address of this controller."""

    bd_addr: hci.Address = dataclasses.field(metadata=hci.metadata(hci.Address.parse_address))


class _Advertiser(LegacyAdvertiser):
    """Bumble's class treats the interval as milliseconds."""

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        interval_s = max(self.advertising_interval_min * _INTERVAL_UNIT_S, _INTERVAL_MIN_S)
        self.timer_handle = asyncio.get_running_loop().call_later(interval_s, self._on_timer_fired)


class RadioController(Controller):
    """A controller on an ether. Its host is the attached sink (`host`)."""

    le_acl_data_packet_length = 251
    total_num_le_acl_data_packets = CREDITS
    supported_max_tx_octets = 251
    supported_max_rx_octets = 251
    suggested_max_tx_octets = 251
    le_features = Controller.le_features & ~_NOT_CLAIMED

    def __init__(self, name: str, ether: Ether, *, links_max: int = LINKS_MAX) -> None:
        self.ether = ether
        self.serial = ether.next_serial()
        self.silent = False
        self.congested = False
        self.rssi_dbm = RSSI_DBM
        self.links_max = links_max
        self._handle = 0
        self._accept_list: set[hci.Address] = set()
        # Locally administered (Core 5.4 Vol 2 Part B 1.2), so it belongs to no manufacturer.
        own = hci.Address(bytes([*self.serial.to_bytes(3, "little"), 0, 0, 0x02]), hci.Address.PUBLIC_DEVICE_ADDRESS)
        super().__init__(name, link=ether, public_address=own)
        self.le_legacy_advertiser = _Advertiser(self)

    # Interface for the ether

    @property
    def listens(self) -> bool:
        """True while it scans or initiates, so that others' advertising is delivered to it."""
        if self.silent or self.congested:
            return False
        return self.le_scan_enable or self.pending_le_connection is not None

    def addresses(self) -> set[str]:
        """Return all its addresses."""
        return {self.public_address.to_string(False), self.random_address.to_string(False)}

    def link_ends(self) -> list[LinkEnd]:
        """Return its links."""
        return cast(list[LinkEnd], list(self.le_connections.values()))

    def go_quiet(self) -> None:
        """Stop advertising, scanning and connection attempts."""
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None

    def hear(self, heard: Heard) -> None:
        """Process an advertising event."""
        if not self.listens:
            return
        if self.le_scan_enable:
            self._report(heard)
        wanted = cast("hci.HCI_LE_Create_Connection_Command | None", self.pending_le_connection)
        if wanted is not None and is_meant(wanted, heard.address, self._accept_list):
            join(self, heard.advertiser, wanted, heard.address)

    # Interface for the other end of a link

    def to_host(self, packet: bytes) -> None:
        """Send one HCI packet to the host, in order."""
        sink = self.hci_sink
        if sink is not None:
            asyncio.get_running_loop().call_soon(sink.on_packet, packet)

    def credit(self, handle: int) -> None:
        """Allow the host to send one more packet."""
        self.to_host(b"\x04\x13\x05\x01" + handle.to_bytes(2, "little") + b"\x01\x00")

    def on_control(self, end: LinkEnd, packet: ll.ControlPdu) -> None:
        """Process a control PDU of the other end, if the link still exists."""
        if self.le_connections.get(end.peer_address) is not end:
            return
        if isinstance(packet, ll.TerminateInd):
            end.lose(packet.error_code)
        else:
            self.on_ll_control_pdu(end.peer_address, packet)

    def forget_end(self, end: LinkEnd, reason: int | None) -> None:
        """Remove the ended link; notify the host, unless there is no reason code."""
        if self.le_connections.get(end.peer_address) is end:
            del self.le_connections[end.peer_address]
        if reason is not None:
            self.send_hci_packet(
                hci.HCI_Disconnection_Complete_Event(status=_ERROR.SUCCESS, connection_handle=end.handle, reason=reason)
            )

    def congest(self) -> None:
        """Stop delivery to a host that does not read: data for it are held at their senders, and advertising is not
        reported."""
        self.congested = True

    def decongest(self) -> None:
        """Resume delivery to a host that reads again, with the held data first."""
        self.congested = False
        for end in self.link_ends():
            end.resume()

    # HCI: Bumble dispatches by these names

    def on_packet(self, packet: bytes) -> None:
        """Process a packet of the host. No packet may stop the radio: malformed ones are counted."""
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
            self.ether.counts["commands that could not be handled"] += 1
            log.warning("radio.command_failed", station=self.name, error=type(error).__name__)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Send a packet without Bumble's formatting of each packet for an unused log."""
        self.to_host(bytes(packet))

    def set_packet_sink(self, sink: TransportSink | None) -> None:
        """Set the sink for HCI packets to the host."""
        self.hci_sink = sink

    def allocate_connection_handle(self) -> int:
        """Return a handle, cyclically, so that some time passes before one is reused."""
        used = {end.handle for end in self.link_ends()}
        while True:
            self._handle = self._handle + 1 if self._handle + 1 in _HANDLES else _HANDLES.start
            if self._handle not in used:
                return self._handle

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """Handle Bumble's own reasons to end a link (a wrong key): both ends are removed."""
        cast(LinkEnd, connection).lose(reason)

    def on_hci_command(self, command: hci.HCI_Command) -> hci.HCI_StatusReturnParameters:
        """Respond to an unsupported command in the form of its kind."""
        if isinstance(command, hci.HCI_SyncCommand):
            return hci.HCI_StatusReturnParameters(_ERROR.UNKNOWN_HCI_COMMAND_ERROR)
        self._send_hci_command_status(_ERROR.UNKNOWN_HCI_COMMAND_ERROR, command.op_code)
        return None  # type: ignore[return-value]  # Bumble's dispatcher wants None of these

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Reset, Core Vol 4 Part E 7.3.2."""
        self.go_quiet()
        self._accept_list.clear()
        for end in self.link_ends():
            partner = end.partner
            end.end(None)
            if partner is not None:
                partner.end(_ERROR.CONNECTION_TIMEOUT_ERROR)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_write_bd_addr_command(self, command: HCI_Write_BD_ADDR_Command) -> hci.HCI_StatusReturnParameters:
        """Set the public address of a device."""
        self.public_address = hci.Address(bytes(command.bd_addr), hci.Address.PUBLIC_DEVICE_ADDRESS)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        """Create a connection, 7.8.12, with the refusals of a real radio."""
        if self.pending_le_connection is not None:
            status = _ERROR.COMMAND_DISALLOWED_ERROR
        elif len(self.le_connections) >= self.links_max:
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
        """Cancel the connection attempt, 7.8.13: it ends with an event of its own."""
        wanted = self.pending_le_connection
        if wanted is None:
            return hci.HCI_StatusReturnParameters(_ERROR.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        failed = not_connected(wanted.peer_address, _ERROR.UNKNOWN_CONNECTION_IDENTIFIER_ERROR)
        # After the response to this command.
        asyncio.get_running_loop().call_soon(self.send_hci_packet, failed)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_disconnect_command(self, command: hci.HCI_Disconnect_Command) -> None:
        """Disconnect, 7.1.6: reason 0x16 here, the given reason at the peer. A silent peer detects it by its own
        timeout."""
        end = self.find_le_connection_by_handle(command.connection_handle)
        if not isinstance(end, LinkEnd) or end.partner is None:
            self._send_hci_command_status(_ERROR.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
            return
        self._send_hci_command_status(_ERROR.SUCCESS, command.op_code)
        partner, heard = end.partner, not end.blocked
        end.end(_ERROR.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)
        partner.end(command.reason if heard else _ERROR.CONNECTION_TIMEOUT_ERROR)

    def on_hci_read_rssi_command(self, command: hci.HCI_Read_RSSI_Command) -> hci.HCI_Read_RSSI_ReturnParameters:
        """Return the RSSI, 7.5.4: the signal strength of the other end of the link."""
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
        """Clear the accept list, 7.8.15."""
        self._accept_list.clear()
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_le_add_device_to_filter_accept_list_command(
        self, command: hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Add a device to the accept list, 7.8.16. Linux connects through this list to the devices that it
        waits for."""
        if len(self._accept_list) >= self.filter_accept_list_size:
            return hci.HCI_StatusReturnParameters(_ERROR.MEMORY_CAPACITY_EXCEEDED_ERROR)
        self._accept_list.add(command.address)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_le_remove_device_from_filter_accept_list_command(
        self, command: hci.HCI_LE_Remove_Device_From_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Remove a device from the accept list, 7.8.17."""
        self._accept_list.discard(command.address)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    # Internal

    def _report(self, heard: Heard) -> None:
        kinds = hci.HCI_LE_Advertising_Report_Event.EventType
        parts = [(kinds.ADV_IND, heard.data)]
        if self.le_scan_type:  # active scanning: a scan response follows, even an empty one
            parts.append((kinds.SCAN_RSP, heard.scan_response))
        for kind, data in parts:
            report = hci.HCI_LE_Advertising_Report_Event.Report(
                event_type=kind,
                address_type=heard.address.address_type,
                address=heard.address,
                data=data,
                rssi=heard.rssi_dbm,
            )
            self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))


def known_as(station: RadioController) -> str:
    """Return the address of its links or advertising; the random one where it has one."""
    for end in station.link_ends():
        return end.self_address.to_string(False)
    if station.le_legacy_advertiser.enabled:
        return station.le_legacy_advertiser.address.to_string(False)
    unset = not any(bytes(station.random_address))
    return (station.public_address if unset else station.random_address).to_string(False)
