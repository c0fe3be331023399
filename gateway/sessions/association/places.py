"""Decide which TCP connections of one listener stay open. A listener has as many places as its limit of sessions.

Any machine on the vehicle's network can open connections at no cost, and a device without a place loses values. So a
new connection that exceeds a limit replaces a connection without a device: preferably one that never sent a byte,
otherwise the oldest. If the limit of its address is exceeded, it replaces a connection from the same address. If all
places are taken, it replaces a connection that never sent a byte or has been open for `PATIENCE_S`. The replaced
connection is then from the address with the most such connections.

An associated device is replaced in one case only: no operator has accepted it, and the new connection turns out to be
an accepted device. Otherwise an agent that invents system ids could fill all places from a few addresses. A new
connection identifies its device only when it associates. So where devices that are not accepted hold places, the new
connection becomes a candidate: it has `PATIENCE_S` to associate, and then gets a place or is closed.

A device gateway may carry many devices from one address, and simulators use the loopback address. So one address may
fill nearly all places, and leaves a few to devices at other addresses.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sessions.association.session import AssociationSession

RESERVED_MAX = 4
"""Number of places that one address cannot fill, so that the monitor, the ventilator and two more devices of a vehicle
always find a place. With fewer than 16 places it is a quarter of them."""
SILENT_OF_ADDRESS_MAX = 4
"""Maximum number of connections of one address that have sent no byte. A device sends its AARQ after the handshake at
once, so more of them come from a device gateway that has just restarted. Each is closed after `FIRST_BYTE_S`."""
PATIENCE_S = 2.0
"""Time to associate. A device needs a second, or two if it has to send its configuration."""
CANDIDATES_MAX = 4
"""Maximum number of candidates in addition to the places, one of each address; a further candidate replaces the oldest.
A device associates within its first round trip, so a candidate's slot is free again in milliseconds."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Decision about a new connection. `displaced`: the session that the connection replaces. `as_candidate`: the
    connection gets only time to associate, and no place yet. `why`: the exceeded limit, if the connection is refused or
    is only a candidate."""

    admitted: bool
    displaced: AssociationSession | None = None
    why: str = ""
    as_candidate: bool = False


def address_of(link: str) -> str:
    """Return the address part of a connection's name, without the port, which differs in each connection."""
    return link.rpartition(":")[0]


def admit(newcomer: str, sessions: Iterable[AssociationSession], sessions_max: int, now_s: float) -> Admission:
    """Decide whether the new connection named `newcomer` is admitted, and which session it replaces. `sessions`: the
    sessions of the same listener that count against `sessions_max`, oldest first."""
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
    """Admit the new connection in place of the session `displaced`. If `displaced` is None, admit the connection as a
    candidate (without a place yet), provided that one of `sessions` has no accepted device. Otherwise refuse the
    connection."""
    if displaced is not None:
        return Admission(True, displaced)
    as_candidate = any(not each.is_accepted for each in sessions)
    return Admission(as_candidate, None, why, as_candidate)


def replaced_candidate(newcomer: str, candidates: Iterable[AssociationSession]) -> AssociationSession | None:
    """Return the candidate (connection without a place yet) that the new candidate `newcomer` replaces: the candidate
    of the same address, or the oldest candidate when there are `CANDIDATES_MAX`. Return None if no candidate is
    replaced."""
    held = list(candidates)
    of_address = [each for each in held if address_of(each.link.name) == address_of(newcomer)]
    return next(iter(of_address if of_address or len(held) < CANDIDATES_MAX else held), None)


def displaced_by(candidate: AssociationSession, sessions: Iterable[AssociationSession], sessions_max: int) -> Admission:
    """Decide about a candidate (connection without a place) whose time to associate is over. `sessions` hold the
    places, oldest first.

    If the candidate has no accepted device, it is refused. Otherwise it gets a free place or replaces the newest
    session whose device is not accepted. If the candidate's address is at its limit, only a session from the same
    address is replaced, otherwise one from the address with the most such sessions.
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
    return sessions_max - min(RESERVED_MAX, sessions_max // 4)


def _least_shown(sessions: list[AssociationSession]) -> AssociationSession | None:
    """Return the oldest session on which nothing was ever received. If there is none, return the oldest session; return
    None if `sessions` is empty."""
    return min(sessions, key=lambda each: (each.heard, each.opened_s), default=None)
