"""A Bluetooth LE controller in software: Bumble's, with the defects of 0.0.236 repaired that a gateway would meet.

Repaired: a connection attempt can be cancelled (it hung for ever, and so did every later one); data go to the end that
they are meant for; a local disconnect says 0x16 and a disconnect of nothing is refused; advertising intervals are in
0.625 ms; the scan response is the device's own; the signal strength varies; a reset resets; handles are not reused at
once (late data of an old link must not arrive on a new one); data packets of 251 octets, which a notification of today
needs. Extended advertising, periodic advertising and controller privacy are not claimed: Linux would wait for events
that Bumble does not send, and no device of this house needs them.

Left as they are: accept list for scanning, duplicate filter, event masks, connection intervals (all ignored).
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

# Of a good USB adapter. More than any vehicle uses; a test of slots asks for fewer.
LINKS_MAX = 20
_HANDLES = range(0x0001, 0x0EFF + 1)
_INTERVAL_UNIT_S = 0.000625
# Core 5.4 Vol 4 Part E 7.8.5: the shortest interval of connectable advertising is 20 ms.
_INTERVAL_MIN_S = 0.02
_NOT_CLAIMED = (
    hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING | hci.LeFeatureMask.LL_PRIVACY
)
_ERROR = hci.HCI_ErrorCode

# A device with a public address tells its controller which. Not Broadcom's number for it, 0x0001, under which Bumble's
# Intel driver registers a command of its own whenever it happens to be imported.
HCI_WRITE_BD_ADDR_COMMAND = hci.HCI_VENDOR_OGF << 10 | 0x03BD
hci.HCI_Command.register_commands({"HCI_WRITE_BD_ADDR_COMMAND": HCI_WRITE_BD_ADDR_COMMAND})


@hci.HCI_SyncCommand.sync_command(hci.HCI_StatusReturnParameters)
@dataclasses.dataclass
class HCI_Write_BD_ADDR_Command(hci.HCI_SyncCommand[hci.HCI_StatusReturnParameters]):  # noqa: N801  # Bumble's form
    """Give this controller its public address."""

    bd_addr: hci.Address = dataclasses.field(metadata=hci.metadata(hci.Address.parse_address))


class _Advertiser(LegacyAdvertiser):
    """Bumble's takes the interval for milliseconds."""

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        interval_s = max(self.advertising_interval_min * _INTERVAL_UNIT_S, _INTERVAL_MIN_S)
        self.timer_handle = asyncio.get_running_loop().call_later(interval_s, self._on_timer_fired)


class RadioController(Controller):
    """One controller on an ether. Its host is whatever sink is attached (`host`)."""

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
        # Locally administered (Core 5.4 Vol 2 Part B 1.2), so it is nobody's.
        own = hci.Address(bytes([*self.serial.to_bytes(3, "little"), 0, 0, 0x02]), hci.Address.PUBLIC_DEVICE_ADDRESS)
        super().__init__(name, link=ether, public_address=own)
        self.le_legacy_advertiser = _Advertiser(self)

    # What the ether asks

    @property
    def listens(self) -> bool:
        """Whether advertising of others is of any use to it."""
        if self.silent or self.congested:
            return False
        return self.le_scan_enable or self.pending_le_connection is not None

    def addresses(self) -> set[str]:
        """By which it can be known."""
        return {self.public_address.to_string(False), self.random_address.to_string(False)}

    def link_ends(self) -> list[LinkEnd]:
        """Its links."""
        return cast(list[LinkEnd], list(self.le_connections.values()))

    def go_quiet(self) -> None:
        """No advertising, no scanning, no attempt to connect."""
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None

    def hear(self, heard: Heard) -> None:
        """Somebody advertised."""
        if not self.listens:
            return
        if self.le_scan_enable:
            self._report(heard)
        wanted = cast("hci.HCI_LE_Create_Connection_Command | None", self.pending_le_connection)
        if wanted is not None and is_meant(wanted, heard.address, self._accept_list):
            join(self, heard.advertiser, wanted, heard.address)

    # What the other end of a link asks

    def to_host(self, packet: bytes) -> None:
        """One HCI packet to the host, in order."""
        sink = self.hci_sink
        if sink is not None:
            asyncio.get_running_loop().call_soon(sink.on_packet, packet)

    def credit(self, handle: int) -> None:
        """The host may send one packet more."""
        self.to_host(b"\x04\x13\x05\x01" + handle.to_bytes(2, "little") + b"\x01\x00")

    def on_control(self, end: LinkEnd, packet: ll.ControlPdu) -> None:
        """A control PDU of the other end, if the link still stands."""
        if self.le_connections.get(end.peer_address) is not end:
            return
        if isinstance(packet, ll.TerminateInd):
            end.lose(packet.error_code)
        else:
            self.on_ll_control_pdu(end.peer_address, packet)

    def forget_end(self, end: LinkEnd, reason: int | None) -> None:
        """The link is over; tell the host, unless there is no reason to."""
        if self.le_connections.get(end.peer_address) is end:
            del self.le_connections[end.peer_address]
        if reason is not None:
            self.send_hci_packet(
                hci.HCI_Disconnection_Complete_Event(status=_ERROR.SUCCESS, connection_handle=end.handle, reason=reason)
            )

    def congest(self) -> None:
        """The host does not read: data for it are held at their senders, and advertising is not reported."""
        self.congested = True

    def decongest(self) -> None:
        """The host reads again: what was held for it goes out."""
        self.congested = False
        for end in self.link_ends():
            end.resume()

    # HCI: Bumble dispatches by these names

    def on_packet(self, packet: bytes) -> None:
        """From the host. Nothing that a host sends may end the radio: what cannot be understood is counted."""
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
        """Without Bumble's formatting of each packet for a log that nobody reads."""
        self.to_host(bytes(packet))

    def set_packet_sink(self, sink: TransportSink | None) -> None:
        """Where HCI packets for the host go."""
        self.hci_sink = sink

    def allocate_connection_handle(self) -> int:
        """Round and round, so that a handle rests before it means another link."""
        used = {end.handle for end in self.link_ends()}
        while True:
            self._handle = self._handle + 1 if self._handle + 1 in _HANDLES else _HANDLES.start
            if self._handle not in used:
                return self._handle

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """Bumble's own ways to end a link (a wrong key) come here: both ends are over."""
        cast(LinkEnd, connection).lose(reason)

    def on_hci_command(self, command: hci.HCI_Command) -> hci.HCI_StatusReturnParameters:
        """A command that does not exist here is answered in the form that its kind has."""
        if isinstance(command, hci.HCI_SyncCommand):
            return hci.HCI_StatusReturnParameters(_ERROR.UNKNOWN_HCI_COMMAND_ERROR)
        self._send_hci_command_status(_ERROR.UNKNOWN_HCI_COMMAND_ERROR, command.op_code)
        return None  # type: ignore[return-value]  # Bumble's dispatcher wants None of these

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Core Vol 4 Part E 7.3.2."""
        self.go_quiet()
        self._accept_list.clear()
        for end in self.link_ends():
            partner = end.partner
            end.end(None)
            if partner is not None:
                partner.end(_ERROR.CONNECTION_TIMEOUT_ERROR)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_write_bd_addr_command(self, command: HCI_Write_BD_ADDR_Command) -> hci.HCI_StatusReturnParameters:
        """A device with a public address says so."""
        self.public_address = hci.Address(bytes(command.bd_addr), hci.Address.PUBLIC_DEVICE_ADDRESS)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        """7.8.12, with the refusals that a radio has."""
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
        """7.8.13: the attempt ends with an event of its own."""
        wanted = self.pending_le_connection
        if wanted is None:
            return hci.HCI_StatusReturnParameters(_ERROR.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        failed = not_connected(wanted.peer_address, _ERROR.UNKNOWN_CONNECTION_IDENTIFIER_ERROR)
        # Later than the answer to this command.
        asyncio.get_running_loop().call_soon(self.send_hci_packet, failed)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_disconnect_command(self, command: hci.HCI_Disconnect_Command) -> None:
        """7.1.6: here 0x16, there the reason given. A peer that hears nothing finds out by itself."""
        end = self.find_le_connection_by_handle(command.connection_handle)
        if not isinstance(end, LinkEnd) or end.partner is None:
            self._send_hci_command_status(_ERROR.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
            return
        self._send_hci_command_status(_ERROR.SUCCESS, command.op_code)
        partner, heard = end.partner, not end.blocked
        end.end(_ERROR.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)
        partner.end(command.reason if heard else _ERROR.CONNECTION_TIMEOUT_ERROR)

    def on_hci_read_rssi_command(self, command: hci.HCI_Read_RSSI_Command) -> hci.HCI_Read_RSSI_ReturnParameters:
        """7.5.4: how the other end of the link is heard."""
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
        """7.8.15."""
        self._accept_list.clear()
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_le_add_device_to_filter_accept_list_command(
        self, command: hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """7.8.16. Linux connects to what it waits for through this list."""
        if len(self._accept_list) >= self.filter_accept_list_size:
            return hci.HCI_StatusReturnParameters(_ERROR.MEMORY_CAPACITY_EXCEEDED_ERROR)
        self._accept_list.add(command.address)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    def on_hci_le_remove_device_from_filter_accept_list_command(
        self, command: hci.HCI_LE_Remove_Device_From_Filter_Accept_List_Command
    ) -> hci.HCI_StatusReturnParameters:
        """7.8.17."""
        self._accept_list.discard(command.address)
        return hci.HCI_StatusReturnParameters(_ERROR.SUCCESS)

    # Inside

    def _report(self, heard: Heard) -> None:
        kinds = hci.HCI_LE_Advertising_Report_Event.EventType
        parts = [(kinds.ADV_IND, heard.data)]
        if self.le_scan_type:  # active: it asked, so it has an answer, be it empty
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
    """The address of its links or advertising; the random one where it has one."""
    for end in station.link_ends():
        return end.self_address.to_string(False)
    if station.le_legacy_advertiser.enabled:
        return station.le_legacy_advertiser.address.to_string(False)
    unset = not any(bytes(station.random_address))
    return (station.public_address if unset else station.random_address).to_string(False)
