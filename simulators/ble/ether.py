"""Simulated ether: which controllers receive each other, and faults of the radio.

Advertising is delivered only to controllers that scan or initiate: otherwise two hundred advertisers would cause forty
thousand deliveries a round. A link is a pair of ends that reference each other (`link_layer`). Faults of real radios
are injected here: a device out of range, a lost link, a weak signal.

Bumble's own `LocalLink` finds receivers by address. Two devices with one address (a spoofed device) would share their
data, and a central with a public address would get none. So an initiator is linked to an advertiser, not to an address.
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
    """Ether that all controllers of one virtual radio share. A link with an end out of range is lost after
    `supervision_s`; None: after the supervision timeout that the link's central requested."""

    def __init__(self, *, supervision_s: float | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Bumble gives it no annotation
        self.supervision_s = supervision_s
        self.counts: Counter[str] = Counter()
        self._rounds = 0
        self._serial = 0

    @property
    def stations(self) -> list[LinkLayer]:
        """Controllers on this ether, in the order in which they were added."""
        ours: Iterable[LinkLayer] = self.controllers  # type: ignore[assignment]  # only those are ever added
        return sorted(ours, key=lambda controller: controller.serial)

    def next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def remove_controller(self, controller: Controller) -> None:
        """Remove a controller; its links are lost and its peers see a supervision timeout, as after a loss of power."""
        station: LinkLayer = controller  # type: ignore[assignment]
        station.go_quiet()
        for end in station.link_ends():
            end.lose(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        self.controllers.discard(controller)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Deliver a PDU of connectable undirected advertising to each controller that scans or initiates."""
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
        """Return the controllers with this address; several where a device is spoofed. Raises NoSuchStation."""
        wanted = address.upper()
        found = [station for station in self.stations if wanted in station.addresses]
        if not found:
            raise NoSuchStation(f"no controller here has the address {address!r}")
        return found

    def drop(self, address: str) -> int:
        """Lose every link of the device, with reason 0x08 (connection timeout) at both ends. Return the number of lost
        links."""
        ends = [end for station in self.at(address) for end in station.link_ends()]
        for end in ends:
            end.lose(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        self.counts["links dropped"] += len(ends)
        return len(ends)

    def silence(self, address: str, on: bool) -> None:
        """Put the device out of range if `on` is True, otherwise back in range. Data in transit are held, because a
        link layer retransmits them. A link without contact is lost at both ends after the supervision timeout."""
        for station in self.at(address):
            station.silent = on
            for end in station.link_ends():
                if on:
                    end.watch(self.supervision_s)
                else:
                    end.resume()

    def rssi(self, address: str, dbm: int) -> None:
        """Set the device's signal strength, −127 to 20 dBm. Raises ValueError."""
        if not -127 <= dbm <= 20:
            raise ValueError(f"{dbm} dBm is no signal strength; it is −127 to 20")
        for station in self.at(address):
            station.rssi_dbm = dbm

    def links(self) -> list[LinkEnd]:
        """Return one end of each link: the central's."""
        return [end for station in self.stations for end in station.link_ends() if end.role == hci.Role.CENTRAL]
