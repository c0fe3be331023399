"""The ether: range of each controller, and losses in transit.

All controllers of one virtual radio share one ether. Advertising reaches only those that listen (otherwise two hundred
advertisers would cost forty thousand deliveries a round). Links are pairs of ends that reference each other
(`link_layer`). Faults of real radios are injected here: a device out of range, a lost link, a weak signal.

Bumble's own `LocalLink` finds receivers by address; so two devices with one address (as with a spoofer) would share
their data, and a central with a public address would get none. Here an initiator is joined to the one advertiser that
it received. HCI is in `controller`, sockets are in `radio`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from bumble import hci, ll
from bumble.controller import Controller
from bumble.link import LocalLink

from simulators.ble.joining import Heard, hear
from simulators.ble.link_layer import LinkEnd, LinkLayer

# The signal strength always varies: BlueZ reports a known device again only when one of its properties has changed.
_FADING_DB = (0, 1, 2, 1, 0, -1, -2, -1)


class NoSuchStation(Exception):
    """No controller on this radio has that address."""


class Ether(LocalLink):
    """The ether that all controllers of one virtual radio share.

    `supervision_s` None: a silent link is given up after the supervision timeout that its central requested.
    """

    def __init__(self, *, supervision_s: float | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Bumble gives it no annotation
        self.supervision_s = supervision_s
        self.counts: Counter[str] = Counter()
        self._rounds = 0
        self._serial = 0

    @property
    def stations(self) -> list[LinkLayer]:
        """Return the controllers in the order of their arrival."""
        ours: Iterable[LinkLayer] = self.controllers  # type: ignore[assignment]  # only those are ever added
        return sorted(ours, key=lambda controller: controller.serial)

    def next_serial(self) -> int:
        """Return a number that no other controller of this ether has or had."""
        self._serial += 1
        return self._serial

    def remove_controller(self, controller: Controller) -> None:
        """Remove a controller. Its links are lost; peers see a supervision timeout, since no disconnect is sent."""
        station: LinkLayer = controller  # type: ignore[assignment]
        station.go_quiet()
        for end in station.link_ends():
            end.lose(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        self.controllers.discard(controller)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Deliver an advertising PDU to each controller in range that scans or initiates. Only connectable undirected
        ones are simulated."""
        sender: LinkLayer = sender_controller  # type: ignore[assignment]
        if sender.silent or not isinstance(packet, ll.AdvInd):
            return
        listeners = [station for station in self.stations if station is not sender and station.listens]
        if not listeners:
            return
        self.counts["advertisements"] += 1
        self._rounds += 1
        heard = Heard(
            advertiser=sender,
            address=packet.advertiser_address,
            data=bytes(packet.data),
            scan_response=bytes(sender.le_legacy_advertiser.scan_response_data),
            rssi_dbm=sender.rssi_dbm + _FADING_DB[self._rounds % len(_FADING_DB)],
        )
        for station in listeners:
            asyncio.get_running_loop().call_soon(hear, station, heard)

    def at(self, address: str) -> list[LinkLayer]:
        """Return the controllers with this address; more than one where a device is spoofed. Raises NoSuchStation."""
        wanted = address.upper()
        found = [station for station in self.stations if wanted in station.addresses]
        if not found:
            raise NoSuchStation(f"no controller here has the address {address!r}")
        return found

    def drop(self, address: str) -> int:
        """Lose every link of the device as if it were out of range: reason 0x08 at both ends. Return the number of
        these links."""
        ends = [end for station in self.at(address) for end in station.link_ends()]
        for end in ends:
            end.lose(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        self.counts["links dropped"] += len(ends)
        return len(ends)

    def silence(self, address: str, on: bool) -> None:
        """Put the device out of range: nothing passes in either direction. Data in transit are held, as a link layer
        repeats them; a link that stays silent for its supervision timeout is lost at both ends."""
        for station in self.at(address):
            station.silent = on
            for end in station.link_ends():
                if on:
                    end.watch(self.supervision_s)
                else:
                    end.resume()

    def rssi(self, address: str, dbm: int) -> None:
        """Set the signal strength of the device, −127 to 20 dBm. Raises ValueError."""
        if not -127 <= dbm <= 20:
            raise ValueError(f"{dbm} dBm is no signal strength; it is −127 to 20")
        for station in self.at(address):
            station.rssi_dbm = dbm

    def links(self) -> list[LinkEnd]:
        """Return the central's end of each link."""
        return [end for station in self.stations for end in station.link_ends() if end.role == hci.Role.CENTRAL]
