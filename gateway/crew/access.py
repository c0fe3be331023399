"""Accesses of the crew's pages: each route declares the access that it requires, and a role has accesses.

The vehicle's PIN opens the live values. Everything about the patient's report requires a crew member, because a record
needs an author, and a shared PIN identifies no person. A vehicle without registered crew members has live values only.
"""

from enum import StrEnum
from types import MappingProxyType

from protocols.epcr.crew_role import CrewRole


class Access(StrEnum):
    """Access that a route requires."""

    OPEN = "open"
    """No session: signing in, static files, and pages that are protected by a code of their own."""
    LIVE = "live"
    """The vehicle's PIN or a crew member: the live values."""
    READ = "read"
    """A crew member who may read patient reports."""
    WRITE = "write"
    """A crew member who may write in patient reports."""
    HAND_OVER = "hand_over"
    """A crew member who may hand a patient over, and so give the report to the receiving team."""
    SIGN = "sign"
    """A crew member who may sign a report, and add addenda to a signed one."""


_CARE = frozenset((Access.READ, Access.WRITE, Access.HAND_OVER, Access.SIGN))
ACCESS_OF_ROLE = MappingProxyType(
    {
        CrewRole.PHYSICIAN: _CARE,
        CrewRole.PARAMEDIC: _CARE,
        CrewRole.TECHNICIAN: _CARE,
        CrewRole.NURSE: _CARE,
        # A driver writes times and, in a cardiac arrest, everything. A signature is of those who treated the patient.
        CrewRole.DRIVER: frozenset((Access.READ, Access.WRITE, Access.HAND_OVER)),
        CrewRole.STUDENT: frozenset((Access.READ, Access.WRITE)),
        CrewRole.OBSERVER: frozenset[Access](),
        CrewRole.OTHER: frozenset((Access.READ,)),
    }
)
"""Accesses of each role besides OPEN and LIVE."""


def is_allowed(access: Access, role: CrewRole | None) -> bool:
    """Return whether a session has an access. `role` None: a session by the vehicle's PIN."""
    if access in (Access.OPEN, Access.LIVE):
        return True
    return role is not None and access in ACCESS_OF_ROLE[role]
