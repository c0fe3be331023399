"""Decides which connections of a source may stay when there are more than its places.

Sockets are cheap for any machine on the vehicle's network and dear for us, and a device that waits for a place loses
values. So the newest connection wins over one that has shown less: first over one that never sent a byte, of the same
address before others, then over one that had time to associate and did not. An association is never given up for a
newcomer; that is why no single address may fill all places with associations of invented ids.

A device gateway on the vehicle's network may carry many devices from one address, and simulators do from loopback, so
the limit of an address is nearly all places: it leaves room for devices elsewhere and hinders no such peer.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sessions.association.session import AssociationSession

RESERVED_MAX = 4
"""Places that one address cannot fill: the monitor, the ventilator and two more of a vehicle always find room. Of few
places a quarter."""
SILENT_OF_ADDRESS_MAX = 4
"""Connections of one address that have sent no byte. A device sends its AARQ in the packet after the handshake,
so that many at a time are a device gateway that has just restarted; each lasts `FIRST_BYTE_S` at most anyway."""
PATIENCE_S = 2.0
"""A device associates within its first second, with a configuration to explain within its second; a connection that has
not after this may be given away when all places are taken."""


@dataclass(frozen=True, slots=True)
class Room:
    """Whether a newcomer may stay, and whose place it takes. `why` says what stands in the way where it may not."""

    admitted: bool
    displaced: AssociationSession | None = None
    why: str = ""


def address_of(link: str) -> str:
    """The source of a connection: its name without the port, which differs each time."""
    return link.rpartition(":")[0]


def room_for(newcomer: str, sessions: Iterable[AssociationSession], sessions_max: int, now_s: float) -> Room:
    """Decide about the connection that is named `newcomer`. `sessions` are those of its source, oldest first."""
    held, address = list(sessions), address_of(newcomer)
    of_address = [each for each in held if address_of(each.link.name) == address]
    silent = [each for each in of_address if not each.heard]
    if len(silent) >= SILENT_OF_ADDRESS_MAX:
        return Room(True, silent[0])
    if len(of_address) >= limit_of_address(sessions_max) and len(held) > 1:
        unassociated = [each for each in of_address if each.device is None]
        displaced = _least_shown(unassociated)
        return Room(displaced is not None, displaced, "its address holds too many connections")
    if len(held) < sessions_max:
        return Room(True)
    patient = [each for each in held if each.device is None and (not each.heard or now_s - each.opened_s >= PATIENCE_S)]
    counts = Counter(address_of(each.link.name) for each in patient)
    crowd = max(counts.values(), default=0)
    displaced = _least_shown([each for each in patient if counts[address_of(each.link.name)] == crowd])
    return Room(displaced is not None, displaced, "all places are taken")


def limit_of_address(sessions_max: int) -> int:
    """Connections of one address."""
    return sessions_max - min(RESERVED_MAX, sessions_max // 4)


def _least_shown(sessions: list[AssociationSession]) -> AssociationSession | None:
    """The oldest that never sent anything, else the oldest."""
    return min(sessions, key=lambda each: (each.heard, each.opened_s), default=None)
