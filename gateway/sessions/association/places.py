"""Decides which TCP connections of one source may stay when there are more connections than places (the limit of
sessions).

Sockets are cheap for any machine on the vehicle's network and costly for the gateway, and a device without a place
loses values. So a new connection replaces an existing one without a device: first one that never sent a byte,
preferably of the same address; otherwise one that had time to associate and did not.

An associated device is replaced in one case only: the new connection turns out to be a device that an operator has
accepted, and the replaced device is not accepted. Otherwise an agent that invents system ids could fill all places from
a few addresses. A new connection identifies its device only when it associates. So where devices that are not accepted
hold places, the new connection becomes a candidate. A candidate has `PATIENCE_S` to associate; after that it gets a
place or is closed.

A device gateway on the vehicle's network may carry many devices from one address, and simulators use the loopback
address. So the limit of one address is nearly all places: it leaves room for devices at other addresses and does not
hinder a device gateway.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sessions.association.session import AssociationSession

RESERVED_MAX = 4
"""Number of places that one address cannot fill, so that the monitor, the ventilator and two more devices of a vehicle
always find a place. With fewer than 16 places it is a quarter of them."""
SILENT_OF_ADDRESS_MAX = 4
"""Maximum number of connections of one address that have sent no byte. A device sends its AARQ in the packet after the
handshake, so many such connections at a time indicate a device gateway that has just restarted. Each is closed after
`FIRST_BYTE_S` anyway."""
PATIENCE_S = 2.0
"""Time to associate. A device associates within its first second, or within the following second if it has to send its
configuration. A connection that has not associated by then may be replaced when all places are taken."""


CANDIDATES_MAX = 4
"""Maximum number of candidates in addition to the places, one of each address; a further candidate replaces the oldest.
A device associates within its first round trip, so a candidate's slot is free again in milliseconds."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The decision about a new connection.

    `admitted`: it may stay. `displaced`: the connection that it replaces. `as_candidate`: it may stay as a candidate
    only. `why` names the exceeded limit, where it may not stay or is only a candidate.
    """

    admitted: bool
    displaced: AssociationSession | None = None
    why: str = ""
    as_candidate: bool = False


def address_of(link: str) -> str:
    """Return the address part of a connection's name, without the port, which differs in each connection."""
    return link.rpartition(":")[0]


def admit(newcomer: str, sessions: Iterable[AssociationSession], sessions_max: int, now_s: float) -> Admission:
    """Decide about the new connection with the name `newcomer`. `sessions` are the present sessions of its source,
    oldest first."""
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
    """Admit the new connection in place of `displaced`. Where `displaced` is None, admit the connection as a candidate
    if any of `sessions` has no accepted device; otherwise refuse it."""
    if displaced is not None:
        return Admission(True, displaced)
    as_candidate = any(not each.is_accepted for each in sessions)
    return Admission(as_candidate, None, why, as_candidate)


def replaced_candidate(newcomer: str, candidates: Iterable[AssociationSession]) -> AssociationSession | None:
    """Return the candidate that a new candidate replaces: the one of the same address, or the oldest when there are
    `CANDIDATES_MAX`. None: no candidate is replaced."""
    held = list(candidates)
    of_address = [each for each in held if address_of(each.link.name) == address_of(newcomer)]
    return next(iter(of_address if of_address or len(held) < CANDIDATES_MAX else held), None)


def displaced_by(candidate: AssociationSession, sessions: Iterable[AssociationSession], sessions_max: int) -> Admission:
    """Decide about a candidate whose `PATIENCE_S` is over. `sessions` hold the places, oldest first.

    A candidate without an accepted device is refused. An accepted device gets a free place or replaces the newest
    device that is not accepted: one of its own address if this address is at its limit, otherwise one of the address
    with the most connections.
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
    """Return the maximum number of connections from one address."""
    return sessions_max - min(RESERVED_MAX, sessions_max // 4)


def _least_shown(sessions: list[AssociationSession]) -> AssociationSession | None:
    """Return the oldest session that never sent anything; otherwise the oldest session. None where there is no
    session."""
    return min(sessions, key=lambda each: (each.heard, each.opened_s), default=None)
