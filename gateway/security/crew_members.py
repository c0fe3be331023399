"""Crew members of one vehicle, each with a PIN of their own, by which a patient report names its authors.

The list is one file, encrypted under the store's key (`secret_store`), so that the names and PINs of people are not on
a stolen disk. It has PINs and not hashes, as the vehicle's PIN (`crew_pin` has the reason): a person who decrypts the
file can try a million PINs against a hash in an evening. PINs are random and made here, so that none is a PIN that a
person uses elsewhere. The protection against guessing is the limit on guesses.

A member's PIN is accepted only from a tablet that has entered the vehicle's PIN before, so a client without that PIN
can neither guess nor cause a wait. Wrong guesses are counted for each member on each tablet. On tablets where the
member has never signed in they also count against a limit that all such tablets share; it does not affect a member's
usual tablet. The commands change the file while the gateway runs, which reads it again when it has changed.
"""

import fcntl
import os
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import orjson

from gateway.security.crew_pin import random_pin
from gateway.security.guess_limit import GuessLimit, Wait
from gateway.security.secret_store import SecretDamaged, SecretStore
from protocols.epcr.change import DISPATCH_AUTHOR
from protocols.epcr.crew_role import CrewRole
from protocols.epcr.seal import GATEWAY_AUTHOR
from protocols.uplink.topics import is_identifier

FILE = "crew-members"
"""Name of the encrypted file in the identity's folder."""
MEMBERS_MAX = 200
"""The people of one station; the encrypted file then has 30 kB, half of what it may have."""
NAME_LENGTH_MAX = 40
WAIT_S_MAX = 120.0
"""Seconds, the longest wait for one member on one tablet; half of a million PINs then takes 1.9 years."""
RESERVED_IDS = frozenset((GATEWAY_AUTHOR, DISPATCH_AUTHOR))
"""Ids under which programs write in patient reports."""
_VERSION = 1
_NAME_CATEGORIES = ("L", "M", "N", "P", "Zs")
"""Unicode categories of a name's characters. Control and format characters could turn or hide a part of a name."""

_Stamp = tuple[int, int, int]


class CrewMembersUnusable(Exception):
    """The list of crew members cannot be used or changed; the text is the diagnosis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewMember:
    """One crew member. `id`: as in the cloud's crew register; it is the author in patient reports. `name`: as the
    tablet shows it."""

    id: str
    name: str
    role: CrewRole
    pin: str = field(repr=False)


class CrewMembers:
    """The crew members of this vehicle. A method that changes the list is for commands, and durable when it returns."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets
        self._path = secrets.path(FILE)
        self._limit = GuessLimit(WAIT_S_MAX)
        self._stamp: _Stamp | None = None
        self._members: Mapping[str, CrewMember] = MappingProxyType({})

    def all(self) -> Mapping[str, CrewMember]:
        """Return the members by their id, sorted by name. Raises `CrewMembersUnusable`."""
        stamp = self._stamp_of_file()
        if stamp != self._stamp:
            self._members = MappingProxyType(self._read())
            self._stamp = stamp
        return self._members

    def check(
        self, member: CrewMember, guess: str, now_s: float, *, tablet: str, known: bool
    ) -> Literal["right", "wrong"] | Wait:
        """Compare `guess` with the member's PIN, unless the tablet has to wait first. `now_s` is monotonic. `known`:
        the member has signed in on this tablet before."""
        return self._limit.check(guess, member.pin, f"{tablet} {member.id}", now_s, known=known)

    def add(self, id: str, name: str, role: CrewRole) -> CrewMember:
        """Add a member with a random PIN, and return it. Raises `CrewMembersUnusable`."""
        return self.add_all([(id, name, role)])[0]

    def add_all(self, people: list[tuple[str, str, CrewRole]]) -> list[CrewMember]:
        """Add members (id, name, role), each with a random PIN: all of them or none. Raises `CrewMembersUnusable`."""
        with self._changing() as members:
            added = [CrewMember(id=id, name=name, role=role, pin=random_pin()) for id, name, role in people]
            for member in added:
                _check(member)
                if member.id in members:
                    raise CrewMembersUnusable(f"there is a crew member {member.id} already; nothing was changed")
                members[member.id] = member
            if len(members) > MEMBERS_MAX:
                raise CrewMembersUnusable(
                    f"a vehicle has at most {MEMBERS_MAX} crew members; nothing was changed. Remove some first"
                )
        return added

    def remove(self, id: str) -> None:
        """Remove a member, which ends the member's sessions. Raises `CrewMembersUnusable`."""
        with self._changing() as members:
            del members[_known(members, id)]

    def renew_pin(self, id: str) -> CrewMember:
        """Give a member another random PIN, which ends the member's sessions. Raises `CrewMembersUnusable`."""
        with self._changing() as members:
            old = members[_known(members, id)]
            pin = random_pin()
            while pin == old.pin:
                pin = random_pin()
            members[id] = CrewMember(id=id, name=old.name, role=old.role, pin=pin)
        return members[id]

    @contextmanager
    def _changing(self) -> Iterator[dict[str, CrewMember]]:
        """Yield the members to change; write them when the block ends without an error. Commands take turns."""
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            members = self._read()
            yield members
            rows = [[each.id, each.name, each.role.value, each.pin] for each in members.values()]
            self._secrets.put(FILE, orjson.dumps({"version": _VERSION, "members": rows}))
        finally:
            os.close(descriptor)

    def _stamp_of_file(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CrewMembersUnusable(f"{self._path} cannot be read ({error.strerror}): correct its owner") from None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> dict[str, CrewMember]:
        try:
            text = self._secrets.get(FILE)
            if text is None:
                return {}
            about = orjson.loads(text)
            if about["version"] != _VERSION:
                raise CrewMembersUnusable(f"{self._path} was written by a later version: install that version")
            members = [
                CrewMember(id=id, name=name, role=CrewRole(role), pin=pin) for id, name, role, pin in about["members"]
            ]
        except OSError as error:
            raise CrewMembersUnusable(f"{self._path} cannot be read ({error.strerror}): correct its owner") from None
        except (SecretDamaged, ValueError, TypeError, KeyError):
            raise CrewMembersUnusable(
                f"{self._path} is damaged: no crew member can sign in; remove it and add the crew members again"
            ) from None
        return {
            each.id: each
            for each in sorted(members, key=lambda each: each.name.casefold())
            if each.id not in RESERVED_IDS  # from before ids were reserved; the next change of the list removes it
        }


def _check(member: CrewMember) -> None:
    if not is_identifier(member.id):
        raise CrewMembersUnusable(f"{member.id!r} cannot be an id: write 1 to 64 letters, digits, _ or -")
    if member.id in RESERVED_IDS:
        raise CrewMembersUnusable(f"the id {member.id} is that of a program in patient reports: choose another one")
    name = member.name
    if not (1 <= len(name) <= NAME_LENGTH_MAX and name == name.strip()) or not all(
        unicodedata.category(each).startswith(_NAME_CATEGORIES) for each in name
    ):
        raise CrewMembersUnusable(
            f"the name of {member.id} cannot be shown: write 1 to {NAME_LENGTH_MAX} letters, digits, spaces or "
            "punctuation marks"
        )


def _known(members: Mapping[str, CrewMember], id: str) -> str:
    if id not in members:
        raise CrewMembersUnusable(f"there is no crew member {id}: `argus-gateway crew list` shows them")
    return id
