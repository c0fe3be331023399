"""Link layer of a controller in software, and the ends of its links, which hold data while the peer cannot receive.

The two ends of a link reference each other; nothing is looked up by address. Data of a host are passed on unchanged
except for the connection handle. They are not reassembled, so a notification costs the radio a few microseconds.

As a real link layer retransmits until the link is lost, no data are lost here: data for an end out of range, or for a
host that does not read, are held, and the sender gets no credit for them. A conforming host stops sending without
credits; a host that continues loses the link.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import cast

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.link import LocalLink
from bumble.transport.common import TransportSink

RSSI_DBM = -50
# Packets that a host may have in flight in all (HCI LE Read Buffer Size); twice that exceeds what a correct host sends.
CREDITS = 64
_HELD_MAX = 2 * CREDITS
# Limit of a good USB adapter. More than any vehicle uses; a test of slots sets fewer.
LINKS_MAX = 20
_HANDLES = range(0x0001, 0x0EFF + 1)
_PB_MASK, _PB_FIRST_FROM_HOST, _PB_FIRST_TO_HOST = 0x3000, 0x0000, 0x2000


class LinkEnd(Connection):
    """One end of a link: Bumble's connection record, with a reference to the other end (`partner`)."""

    supervision_s: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.partner: LinkEnd | None = None
        self._held: deque[bytes | ll.ControlPdu] = deque()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def station(self) -> LinkLayer:
        """Controller at this end."""
        return cast(LinkLayer, self.controller)

    @property
    def blocked(self) -> bool:
        """True if nothing can be sent over the link: it has ended, an end is out of range, or the receiver does not
        read."""
        partner = self.partner
        return partner is None or self.station.silent or partner.station.silent or partner.station.congested

    def forward(self, packet: bytes) -> None:
        """Pass a host's ACL data packet to the other end of the link, or hold the packet while the link is blocked."""
        if self._held or self.blocked:
            self._hold(packet)
        else:
            self._pass_data(packet)

    def send_ll_control_pdu(self, packet: ll.ControlPdu) -> None:
        """Pass a control PDU to the other end's controller, in order with the data, or hold the PDU while the link is
        blocked."""
        if self._held or self.blocked:
            self._hold(packet)
        else:
            self._pass_control(packet)

    def resume(self) -> None:
        """Send the held data of both ends of the link, except for an end that is still blocked."""
        for end in (self, self.partner):
            if end is None:
                continue
            while end._held and not end.blocked:
                waiting = end._held.popleft()
                if isinstance(waiting, bytes):
                    end._pass_data(waiting)
                else:
                    end._pass_control(waiting)
            if end._watch is not None and end.partner is not None and not end._silent():
                end._watch.cancel()
                end._watch = None

    def watch(self, supervision_s: float | None) -> None:
        """Lose the link if it is without contact after `supervision_s` (None: after the link's own supervision
        timeout)."""
        if self._watch is None:
            wait_s = self.supervision_s if supervision_s is None else supervision_s
            self._watch = asyncio.get_running_loop().call_later(wait_s, self._supervise)

    def lose(self, reason: int) -> None:
        """Lose the link without notice, with `reason` at both ends. Do nothing if the link has already ended."""
        partner = self.partner
        self.end(reason)
        if partner is not None:
            partner.end(reason)

    def end(self, reason: int | None) -> None:
        """Remove this end of the link and notify the host at this end with `reason`. With None, the host is not
        notified, because it has reset its controller. Repeated calls do nothing."""
        if self.partner is None:
            return
        self.partner = None
        self._held.clear()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self.station.forget(self, reason)

    def _silent(self) -> bool:
        return self.station.silent or (self.partner is not None and self.partner.station.silent)

    def _supervise(self) -> None:
        self._watch = None
        if self._silent():
            self.lose(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def _hold(self, packet: bytes | ll.ControlPdu) -> None:
        self._held.append(packet)
        if len(self._held) > _HELD_MAX:
            self.station.counts["links of hosts without restraint"] += 1
            self.lose(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def _pass_data(self, packet: bytes) -> None:
        partner = self.partner
        if partner is None:
            return
        first = int.from_bytes(packet[1:3], "little")
        boundary = first & _PB_MASK
        if boundary == _PB_FIRST_FROM_HOST:
            boundary = _PB_FIRST_TO_HOST
        header = (partner.handle | boundary).to_bytes(2, "little")
        partner.station.to_host(b"\x02" + header + packet[3:])
        self.station.counts["data packets"] += 1
        self.station.credit(self.handle)

    def _pass_control(self, packet: ll.ControlPdu) -> None:
        partner = self.partner
        if partner is not None:
            asyncio.get_running_loop().call_soon(partner.station.on_control, partner, packet)


class LinkLayer(Controller):
    """Link-layer state of one controller. `counts` maps the name of an event to how often it occurred on the whole
    ether."""

    def __init__(self, name: str, ether: LocalLink, counts: Counter[str], serial: int) -> None:
        self.counts = counts
        self.serial = serial
        self.silent = False
        self.congested = False
        self.rssi_dbm = RSSI_DBM
        self.links_max = LINKS_MAX
        self.accept_list: set[hci.Address] = set()
        self._handle = 0
        # Locally administered (Core 5.4 Vol 2 Part B 1.2), so it belongs to no manufacturer.
        own = hci.Address(bytes([*serial.to_bytes(3, "little"), 0, 0, 0x02]), hci.Address.PUBLIC_DEVICE_ADDRESS)
        super().__init__(name, link=ether, public_address=own)

    @property
    def listens(self) -> bool:
        """True while the controller scans or initiates a connection, and can receive."""
        if self.silent or self.congested:
            return False
        return self.le_scan_enable or self.pending_le_connection is not None

    @property
    def full(self) -> bool:
        return len(self.le_connections) >= self.links_max

    @property
    def addresses(self) -> tuple[str, str]:
        """Public address and random address of the controller."""
        return self.public_address.to_string(False), self.random_address.to_string(False)

    @property
    def used_address(self) -> str:
        """Address in the controller's links or advertising, else its random address, else its public one."""
        for end in self.link_ends():
            return end.self_address.to_string(False)
        if self.le_legacy_advertiser.enabled:
            return self.le_legacy_advertiser.address.to_string(False)
        return self.addresses[any(bytes(self.random_address))]

    def link_ends(self) -> list[LinkEnd]:
        return cast(list[LinkEnd], list(self.le_connections.values()))

    def go_quiet(self) -> None:
        """Stop advertising, scanning and connection attempts."""
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None

    def congest(self) -> None:
        """Stop delivery to a host that does not read. Senders then hold their data, and advertising is not reported to
        the host."""
        self.congested = True

    def decongest(self) -> None:
        """Resume delivery to the host, held data first."""
        self.congested = False
        for end in self.link_ends():
            end.resume()

    def to_host(self, packet: bytes) -> None:
        """Send one HCI packet to the host, after earlier packets."""
        sink = self.hci_sink
        if sink is not None:
            asyncio.get_running_loop().call_soon(sink.on_packet, packet)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Send a packet to the host. Bumble's method would format each packet for a log that is not used."""
        self.to_host(bytes(packet))

    def set_packet_sink(self, sink: TransportSink | None) -> None:
        self.hci_sink = sink

    def credit(self, handle: int) -> None:
        """Allow the host to send one more data packet on this link (Number Of Completed Packets event)."""
        self.to_host(b"\x04\x13\x05\x01" + handle.to_bytes(2, "little") + b"\x01\x00")

    def on_control(self, end: LinkEnd, packet: ll.ControlPdu) -> None:
        """Process a control PDU from the other end of `end`. Ignore it where the link has ended."""
        if self.le_connections.get(end.peer_address) is not end:
            return
        if isinstance(packet, ll.TerminateInd):
            end.lose(packet.error_code)
        else:
            self.on_ll_control_pdu(end.peer_address, packet)

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """Lose a link that Bumble ends itself (for a wrong key), so that both ends are removed."""
        cast(LinkEnd, connection).lose(reason)

    def forget(self, end: LinkEnd, reason: int | None) -> None:
        """Remove this controller's end of an ended link. Notify the host with `reason`; None: without
        a notification."""
        if self.le_connections.get(end.peer_address) is end:
            del self.le_connections[end.peer_address]
        if reason is not None:
            self.send_hci_packet(
                hci.HCI_Disconnection_Complete_Event(
                    status=hci.HCI_ErrorCode.SUCCESS, connection_handle=end.handle, reason=reason
                )
            )

    def allocate_connection_handle(self) -> int:
        """Return an unused connection handle. Handles are assigned cyclically, so that none is reused soon."""
        used = {end.handle for end in self.link_ends()}
        while True:
            self._handle = self._handle + 1 if self._handle + 1 in _HANDLES else _HANDLES.start
            if self._handle not in used:
                return self._handle
