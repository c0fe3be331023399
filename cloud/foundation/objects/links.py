"""Addresses at which a result can be downloaded without other credentials, for a short time.

An S3 service has such addresses of its own (presigned, SigV4). For a local folder the address is on our API host:
`/v1/downloads/ID?expires=SECONDS&signature=…`, with an HMAC-SHA-256 over method, id and end. Its key is derived for
this purpose alone from the master key that is current, so a former one that was stolen makes no address. An address
from the minutes before a rotation is refused, and the client requests another. The address suffices to read the
result, so it is never logged, stored or sent in a notification.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cloud.foundation.clock import Clock
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects.errors import LinkRefused
from cloud.foundation.objects.results import Result
from cloud.foundation.objects.store import ObjectStore, is_stored

LIFETIME_S = 300
"""Lifetime of an address (contract matrix A-080): long enough to follow it, also after a retry. A download that began
goes on."""
DOWNLOADS = "/v1/downloads"
_PURPOSE = "addresses of results"


@dataclass(frozen=True, slots=True)
class Link:
    """The address of a result, and the time at which it expires."""

    url: str
    expires_at_us: int


class ResultLinks:
    """Makes and checks the addresses of results. `base` is the public address of the API host, and `master` returns the
    master key."""

    def __init__(self, objects: ObjectStore | None, master: Callable[[], MasterKey], base: str, clock: Clock) -> None:
        self._objects = objects
        self._master = master
        self._base = base
        self._clock = clock

    async def is_stored(self, result: Result) -> bool:
        """Return whether the object of a result exists and has its size: the S3 service may have removed it, and signs
        its address without looking. Raises `ObjectStoreUnavailable`."""
        return self._objects is not None and await is_stored(self._objects, result.stored)

    async def link_to(self, result: Result) -> Link:
        """Return a new address of a result. The caller must have checked that the result may be read. Raises
        `ObjectStoreUnavailable`, `MasterKeyAbsent`."""
        assert self._objects is not None, "a result lies in the object store"
        expires_s = self._clock.now_us() // 1_000_000 + LIFETIME_S
        url = await self._objects.link(result.stored.name, LIFETIME_S)
        if url is None:
            master = self._master()
            signed = _sign(master, master.kid, result.id, str(expires_s))
            signature = base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
            url = f"{self._base}{DOWNLOADS}/{result.id}?expires={expires_s}&signature={signature}"
        return Link(url, expires_s * 1_000_000)

    def check(self, id_: str, expires: str, signature: str) -> None:
        """Raise `LinkRefused` unless `link_to` made an address with these parts that has not expired."""
        try:
            given = base64.b64decode(f"{signature}=", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise LinkRefused from None
        master = self._master()
        # Another process may have read the rotated key file before this one.
        kids = [kid for kid in (master.kid, master.successor) if kid is not None]
        if not any(hmac.compare_digest(given, _sign(master, kid, id_, expires)) for kid in kids):
            raise LinkRefused
        if int(expires) * 1_000_000 <= self._clock.now_us():  # signed by us, so it is a number
            raise LinkRefused


def _sign(master: MasterKey, kid: str, id_: str, expires: str) -> bytes:
    return hmac.digest(master.derive(_PURPOSE, kid), f"GET\n{id_}\n{expires}".encode(), hashlib.sha256)
