"""The ether: which controller hears which, and what is lost on the way.

All controllers of one virtual radio share one ether. Advertising reaches only those that listen (otherwise two hundred
advertisers would cost forty thousand deliveries a round), links are pairs of ends that know each other
(`link_end`), and what happens to real radios is done from here: a device goes out of range, a link is lost, a
signal grows weak.

Bumble's own `LocalLink` finds receivers by address; so two devices with one address (which a spoofer has) would share
their data, and a central with a public address would get none. Here an initiator is joined to the one advertiser that
it heard. Knows nothing of HCI (`controller`) and of sockets (`radio`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bumble import hci, ll
from bumble.controller import Controller
from bumble.link import LocalLink

from simulators.ble.link_end import LinkEnd

if TYPE_CHECKING:
    from simulators.ble.controller import RadioController

RSSI_DBM = -50
# The signal is never quite still: BlueZ reports a known device again only when something of it has changed.
_FADING_DB = (0, 1, 2, 1, 0, -1, -2, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a listening controller receives of one advertising event."""

    advertiser: RadioController
    address: hci.Address
    data: bytes
    scan_response: bytes
    rssi_dbm: int


class NoSuchStation(Exception):
    """No controller on this radio has that address."""


class Ether(LocalLink):
    """What all controllers of one virtual radio share.

    `supervision_s` None: a silent link is given up after the supervision time-out that its central asked for.
    """

    def __init__(self, *, supervision_s: float | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Bumble gives it no annotation
        self.supervision_s = supervision_s
        self.counts: Counter[str] = Counter()
        self._rounds = 0
        self._serial = 0

    @property
    def stations(self) -> list[RadioController]:
        """In the order in which they came."""
        ours: Iterable[RadioController] = self.controllers  # type: ignore[assignment]  # only those are ever added
        return sorted(ours, key=lambda controller: controller.serial)

    def next_serial(self) -> int:
        """A number for each controller that ever was here."""
        self._serial += 1
        return self._serial

    def remove_controller(self, controller: Controller) -> None:
        """Its links are lost; peers see a supervision time-out, since nobody says goodbye for it."""
        station: RadioController = controller  # type: ignore[assignment]
        station.go_quiet()
        for end in station.link_ends():
            end.lose(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        self.controllers.discard(controller)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """To each controller that scans or initiates and is in range. Only connectable undirected ones exist here."""
        sender: RadioController = sender_controller  # type: ignore[assignment]
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
            asyncio.get_running_loop().call_soon(station.hear, heard)

    def at(self, address: str) -> list[RadioController]:
        """The controllers that go by this address; more than one where somebody is spoofed. Raises NoSuchStation."""
        wanted = address.upper()
        found = [station for station in self.stations if wanted in station.addresses()]
        if not found:
            raise NoSuchStation(f"no controller here has the address {address!r}")
        return found

    def drop(self, address: str) -> int:
        """Lose every link of the device as out of range does: reason 0x08 at both ends. How many links that were."""
        ends = [end for station in self.at(address) for end in station.link_ends()]
        for end in ends:
            end.lose(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        self.counts["links dropped"] += len(ends)
        return len(ends)

    def silence(self, address: str, on: bool) -> None:
        """Out of range: nothing of it is heard and it hears nothing. What is under way waits, as a link layer repeats
        it; a link that stays silent for its supervision time-out is lost at both ends."""
        for station in self.at(address):
            station.silent = on
            for end in station.link_ends():
                if on:
                    end.watch(self.supervision_s)
                else:
                    end.resume()

    def rssi(self, address: str, dbm: int) -> None:
        """How strongly the device is heard from now on, −127 to 20 dBm. Raises ValueError."""
        if not -127 <= dbm <= 20:
            raise ValueError(f"{dbm} dBm is no signal strength; it is −127 to 20")
        for station in self.at(address):
            station.rssi_dbm = dbm

    def links(self) -> list[LinkEnd]:
        """The central's end of each link."""
        return [end for station in self.stations for end in station.link_ends() if end.role == hci.Role.CENTRAL]
