"""Keys of the queues that tablets keep without contact, and the names of those whose entries are in them.

A tablet stores each change of a report, encrypted with AES-256-GCM, until the gateway has acknowledged it
(static/queue.js). Only the gateway can derive the key of a queue: HMAC-SHA256 under a key that derives from the store's
key, over the member's id and the tablet's salt (16 random bytes, which the tablet keeps in the clear). A tablet has the
key only in memory, from the moment at which the gateway gives it to a signed-in member until the page is locked or
closed. A page that is loaded again takes it over from the page before (static/key_hand_over.js): between the two the
service worker has it, for 20 seconds at most, as a CryptoKey whose bytes no script can read. So a report that is loaded
again without contact stays open (static/kept_report.js), from its entries and an encrypted copy of its last state.
A lock on any page deletes the copy, and so does every other page that the gateway shows.

What this protects against:

- A stolen tablet that is locked or switched off has ciphertext, the salt and random numbers. A PIN of six digits is no
  part of the key, since a million PINs can be tried in seconds; the key has 256 bits and is not on the tablet.
- A person who has the tablet and is in the vehicle's network needs a member's PIN, and the gateway limits guesses.
- Another member of the same vehicle gets another key. The gateway also refuses changes whose page was opened for
  another member.

So a queue cannot be opened without the gateway. This is a decision: a tablet that opened it with the PIN alone would
give it to everyone who steals the tablet. A page that was locked or closed without contact therefore shows how many
entries it has, and nothing of their content.

The key depends neither on the PIN nor on the tablet's cookie, so that a new PIN or a lost cookie loses no entry. A
gateway whose store's key is replaced cannot open the queues of before.

The owner of a queue is a hash under the same secret, so that the disk of a tablet names no person.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping

from aiohttp import web

from gateway.crew.access import Access
from gateway.crew.routes import CrewRoute, member_of
from gateway.security.crew_members import CrewMember

_SALT = re.compile(r"[0-9a-f]{32}")
_OWNER_DIGITS = 32
"""Hexadecimal digits of an owner: 128 bits, so that two members never have the same."""

Members = Callable[[], Mapping[str, CrewMember]]


class TabletQueueKeys:
    """Derives the keys and owners of the tablets' queues for one vehicle. `members`: the present crew members."""

    def __init__(self, store_key: bytes, members: Members) -> None:
        self._secret = hmac.digest(store_key, b"argus crew tablet queue v1", hashlib.sha256)
        self._members = members

    def routes(self) -> tuple[CrewRoute, ...]:
        return (
            CrewRoute("GET", "/queue/{salt}/key", self._give_key, Access.WRITE),
            CrewRoute("GET", "/queue/{salt}/owners", self._list_owners, Access.LIVE),
        )

    def key(self, member: str, salt: str) -> bytes:
        """Return the key of a member's queue: 32 bytes. `salt`: 32 hexadecimal digits."""
        return self._derive(b"key", member, salt)

    def owner(self, member: str, salt: str) -> str:
        """Return the name under which a tablet files a member's entries: 32 hexadecimal digits."""
        return self._derive(b"owner", member, salt).hex()[:_OWNER_DIGITS]

    def _derive(self, purpose: bytes, member: str, salt: str) -> bytes:
        return hmac.digest(self._secret, b"\0".join((purpose, member.encode(), salt.encode())), hashlib.sha256)

    async def _give_key(self, request: web.Request) -> web.StreamResponse:
        salt, member = _salt(request), member_of(request).id
        key = base64.b64encode(self.key(member, salt)).decode()
        return web.json_response({"key": key, "owner": self.owner(member, salt)})

    async def _list_owners(self, request: web.Request) -> web.StreamResponse:
        salt = _salt(request)
        return web.json_response({self.owner(id, salt): each.name for id, each in self._members().items()})


def _salt(request: web.Request) -> str:
    """Return the salt of the route. Raises 404."""
    salt = request.match_info["salt"]
    if not _SALT.fullmatch(salt):
        raise web.HTTPNotFound(text="A tablet's salt has 32 hexadecimal digits.\n")
    return salt
