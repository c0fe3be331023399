"""One end of a link between two controllers, with the data held while the other end cannot receive.

The ends reference each other; nothing is looked up by address. Host data are passed on unchanged except for the
connection handle: no reassembly, so a notification costs the radio a few microseconds.

A link layer loses nothing: it repeats until the link is given up. So data for a silent end, or for a host that does not
read, are held, and the sender gets no credit for them. A correct host stops at its credits; one that ignores them loses
the link.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from bumble import hci, ll
from bumble.controller import Connection

if TYPE_CHECKING:
    from simulators.ble.controller import RadioController

# Packets that a host may have in flight in all (HCI LE Read Buffer Size); twice that exceeds what a correct host sends.
CREDITS = 64
_HELD_MAX = 2 * CREDITS
_PB_MASK, _PB_FIRST_FROM_HOST, _PB_FIRST_TO_HOST = 0x3000, 0x0000, 0x2000
_HANDLE_MASK = 0x0FFF


class LinkEnd(Connection):
    """Bumble's connection record, joined to its other end."""

    supervision_s: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.partner: LinkEnd | None = None
        self._held: deque[bytes | ll.ControlPdu] = deque()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def station(self) -> RadioController:
        """Return the controller at this end."""
        return cast("RadioController", self.controller)

    @property
    def blocked(self) -> bool:
        """True while no data pass."""
        partner = self.partner
        return partner is None or self.station.silent or partner.station.silent or partner.station.congested

    def forward(self, packet: bytes) -> None:
        """Forward host data, a whole HCI ACL packet."""
        if self._held or self.blocked:
            self._hold(packet)
        else:
            self._pass_data(packet)

    def send_ll_control_pdu(self, packet: ll.ControlPdu) -> None:
        """Send a control PDU between the controllers, in order with the data."""
        if self._held or self.blocked:
            self._hold(packet)
        else:
            self._pass_control(packet)

    def resume(self) -> None:
        """Send held data where the directions are open again."""
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
        """Give the link up if it is still silent after its supervision timeout."""
        if self._watch is None:
            wait_s = self.supervision_s if supervision_s is None else supervision_s
            self._watch = asyncio.get_running_loop().call_later(wait_s, self._supervise)

    def lose(self, reason: int) -> None:
        """Lose the link without notice: both ends get `reason`. No effect where it has ended already."""
        partner = self.partner
        self.end(reason)
        if partner is not None:
            partner.end(reason)

    def end(self, reason: int | None) -> None:
        """Remove this end; its host is notified, unless it is the one that reset its controller (None). Idempotent."""
        if self.partner is None:
            return
        self.partner = None
        self._held.clear()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self.station.forget_end(self, reason)

    def _silent(self) -> bool:
        return self.station.silent or (self.partner is not None and self.partner.station.silent)

    def _supervise(self) -> None:
        self._watch = None
        if self._silent():
            self.lose(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def _hold(self, packet: bytes | ll.ControlPdu) -> None:
        self._held.append(packet)
        if len(self._held) > _HELD_MAX:
            self.station.ether.counts["links of hosts without restraint"] += 1
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
        self.station.ether.counts["data packets"] += 1
        self.station.credit(self.handle)

    def _pass_control(self, packet: ll.ControlPdu) -> None:
        partner = self.partner
        if partner is not None:
            asyncio.get_running_loop().call_soon(partner.station.on_control, partner, packet)
