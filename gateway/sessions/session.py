"""Interface of a session for the rest of the gateway, the same for 11073-20601 and Bluetooth GATT.

Status, reports, the crew page and shutdown use only this interface.
"""

from dataclasses import dataclass
from typing import Protocol

from gateway.live import LiveDevice
from gateway.sessions.devices.link_class import LinkClass


@dataclass(slots=True)
class Counts:
    """Counts since the link was opened. A report is one message of a device: an APDU's scan report, a GATT value or a
    record. `refused` and `lost` count reports."""

    observations: int = 0
    reports: int = 0
    refused: int = 0
    lost: int = 0
    deviations: int = 0


class Named(Protocol):
    """A link with a name such as "tcp:…", "serial:…" or "ble:…". The name never contains patient data."""

    @property
    def name(self) -> str: ...


class Session(Protocol):
    """The handling of one link, from its first byte to its last."""

    number: int
    """Number of the link in this run of the gateway, from 1."""
    opened_s: float
    """Monotonic time at which the link was opened."""
    counts: Counts

    @property
    def link(self) -> Named: ...

    @property
    def device(self) -> LiveDevice | None:
        """The device that is connected on this link; None while there is none."""

    @property
    def state(self) -> str:
        """The state of the session, as text for people."""

    @property
    def last_byte_s(self) -> float:
        """Monotonic time at which the device last sent anything."""

    @property
    def link_class(self) -> LinkClass:
        """The class of the link: how well the link identifies the device."""

    def update_verification(self) -> None:
        """Update the device's flag `unverified_link` after an operator accepted it or revoked the acceptance."""

    async def release(self) -> None:
        """End the association or transfer with the device properly, within a few seconds, and close the link."""
