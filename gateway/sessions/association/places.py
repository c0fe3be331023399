"""Decides which connections of a source may stay when there are more than its places.

Sockets are cheap for any machine on the vehicle's network and costly for us, and a device that waits for a place loses
values. So the newest connection wins over one that has shown less: first over one that never sent a byte, of the same
address before others, then over one that had time to associate and did not. An association is given up for one kind of
newcomer only: a device that an operator has accepted. Otherwise an agent that invents ids could fill all places from a
few addresses. A newcomer identifies itself only when it associates. So where unaccepted devices hold the places, a
newcomer becomes a candidate: it has `PATIENCE_S` to associate, and then it gets a place or is closed.

A device gateway on the vehicle's network may carry many devices from one address, and simulators do from loopback, so
the limit of an address is nearly all places: it leaves room for devices elsewhere and does not hinder such a peer.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sessions.association.session import AssociationSession

RESERVED_MAX = 4
"""Places that one address cannot fill: the monitor, the ventilator and two more of a vehicle always find room. With few
places, a quarter."""
SILENT_OF_ADDRESS_MAX = 4
"""Maximum of connections of one address that have sent no byte. A device sends its AARQ in the packet after the
handshake, so many at a time indicate a device gateway that has just restarted. Each lasts `FIRST_BYTE_S` at most
anyway."""
PATIENCE_S = 2.0
"""Time to associate. A device associates within its first second, or within the second after if it has to send its
configuration. A connection that has not may be replaced when all places are taken."""


CANDIDATES_MAX = 4
"""Maximum of candidates beyond the places, one of each address; a further one replaces the oldest. A device associates
within its first round trip, so a place is free again in milliseconds."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The decision on a newcomer: it may stay or not, and the connection that it replaces. `why` names the limit that
    it met where it may not stay, or may stay as a candidate only."""

    admitted: bool
    displaced: AssociationSession | None = None
    why: str = ""
    as_candidate: bool = False


def address_of(link: str) -> str:
    """Return the source of a connection: its name without the port, which differs each time."""
    return link.rpartition(":")[0]


def admit(newcomer: str, sessions: Iterable[AssociationSession], sessions_max: int, now_s: float) -> Admission:
    """Decide about the connection that is named `newcomer`. `sessions` are those of its source, oldest first."""
    held, address = list(sessions), address_of(newcomer)
    of_address = [each for each in held if address_of(each.link.name) == address]
    silent = [each for each in of_address if not each.heard]
    if len(silent) >= SILENT_OF_ADDRESS_MAX:
        return Admission(True, silent[0])
    if len(of_address) >= limit_of_address(sessions_max) and len(held) > 1:
        unassociated = [each for each in of_address if each.device is None]
        return _room_instead_of(_least_shown(unassociated), of_address, "its address holds too many connections")
    if len(held) < sessions_max:
        return Admission(True)
    patient = [each for each in held if each.device is None and (not each.heard or now_s - each.opened_s >= PATIENCE_S)]
    counts = Counter(address_of(each.link.name) for each in patient)
    crowd = max(counts.values(), default=0)
    displaced = _least_shown([each for each in patient if counts[address_of(each.link.name)] == crowd])
    return _room_instead_of(displaced, held, "all places are taken")


def _room_instead_of(displaced: AssociationSession | None, sessions: list[AssociationSession], why: str) -> Admission:
    """Return the room of `displaced`, else that of a candidate if one of `sessions` is no accepted device."""
    if displaced is not None:
        return Admission(True, displaced)
    as_candidate = any(not each.is_accepted for each in sessions)
    return Admission(as_candidate, None, why, as_candidate)


def replaced_candidate(newcomer: str, candidates: Iterable[AssociationSession]) -> AssociationSession | None:
    """Return the candidate that a further one replaces: that of the same address, or the oldest of too many."""
    held = list(candidates)
    of_address = [each for each in held if address_of(each.link.name) == address_of(newcomer)]
    return next(iter(of_address if of_address or len(held) < CANDIDATES_MAX else held), None)


def displaced_by(candidate: AssociationSession, sessions: Iterable[AssociationSession], sessions_max: int) -> Admission:
    """Decide about a candidate whose time is over. `sessions` hold the places, oldest first.

    An accepted device replaces the newest unaccepted one: of its own address where that is at its limit, else of the
    address that holds most.
    """
    if not candidate.is_accepted:
        return Admission(False, None, "all places are taken, and it is no accepted device")
    held, address = list(sessions), address_of(candidate.link.name)
    of_address = [each for each in held if address_of(each.link.name) == address]
    at_limit = len(of_address) >= limit_of_address(sessions_max)
    if len(held) < sessions_max and not at_limit:
        return Admission(True)
    unaccepted = [each for each in (of_address if at_limit else held) if not each.is_accepted]
    counts = Counter(address_of(each.link.name) for each in unaccepted)
    crowd = max(counts.values(), default=0)
    crowded = [each for each in unaccepted if counts[address_of(each.link.name)] == crowd]
    return Admission(bool(crowded), crowded[-1] if crowded else None, "all places are held by accepted devices")


def limit_of_address(sessions_max: int) -> int:
    """Return the maximum of connections of one address."""
    return sessions_max - min(RESERVED_MAX, sessions_max // 4)


def _least_shown(sessions: list[AssociationSession]) -> AssociationSession | None:
    """Return the oldest that never sent anything, else the oldest."""
    return min(sessions, key=lambda each: (each.heard, each.opened_s), default=None)
