"""Interface of a session for the rest of the gateway, whether it speaks 11073-20601 or GATT.

Status, reports, the crew's page and stopping need no more than this, so none of them depends on the kind of link.
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
    """A link by its name: "tcp:…", "serial:…", "ble:…". Never patient data."""

    @property
    def name(self) -> str: ...


class Session(Protocol):
    """One link's conversation, from its first byte to its last."""

    number: int
    """Number of the link in this run of the gateway, from 1."""
    opened_s: float
    """Time at which the link was opened; monotonic."""
    counts: Counts

    @property
    def link(self) -> Named: ...

    @property
    def device(self) -> LiveDevice | None:
        """The device that is served here, None while there is none."""

    @property
    def state(self) -> str:
        """The state of the session, in words."""

    @property
    def last_byte_s(self) -> float:
        """Time at which the device last sent anything; monotonic."""

    @property
    def link_class(self) -> LinkClass:
        """The class of the link, by how well it identifies the device."""

    def update_verification(self) -> None:
        """Apply that an operator has accepted the device, or revoked that."""

    async def release(self) -> None:
        """End in order, within a few seconds, and close the link."""
