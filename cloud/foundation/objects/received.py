"""Files that a client sends for a job, in pieces: `received/TENANT/ORGANISATION/APP/PIECE`.

The id of a piece states its size and its SHA-256, so a reader needs no row to find and check it, and a piece never
changes. The folder of a piece is that of its sender. So its id leads nowhere for another tenant, organisation or app.
The sweep of results removes a piece when it is older than `RECEIVED_US`.
"""

import hashlib
from collections.abc import Sequence

from cloud.foundation.clock import Clock
from cloud.foundation.ids import Ids, time_of_ulid
from cloud.foundation.objects.errors import TooManyPieces
from cloud.foundation.objects.store import ObjectStore, StoredObject
from cloud.foundation.viewer import Actor

RECEIVED = "received"
PIECE_BYTES_MAX = 8 << 20
"""Largest piece. It arrives within the time limit of a body at 2.3 Mbit/s; a slower client sends smaller ones."""
TENANT_PIECES_MAX = 500
"""Pieces that a tenant may have stored: half a page of a listing, so that counting them is one request to a bucket."""
TENANT_BYTES_MAX = 1 << 30
APP_PIECES_MAX = TENANT_PIECES_MAX // 2
APP_BYTES_MAX = TENANT_BYTES_MAX // 2
"""The largest file has as many. One app leaves half of the tenant's room to the others."""
NAMED_US_MAX = 24 * 3_600_000_000
"""Age up to which a new job may name a piece."""
RECEIVED_US = 2 * NAMED_US_MAX
"""Age at which a piece is removed: the job has at least a day."""
PIECE_ID = r"^[0-9A-HJKMNP-TV-Z]{26}-[0-9]{1,7}-[0-9a-f]{64}$"
_WHOLE_TENANT = "whole.tenant"  # not the id of an organisation or app, since it has a dot


class ReceivedPieces:
    """Stores and finds the pieces of files."""

    def __init__(self, objects: ObjectStore, ids: Ids, clock: Clock) -> None:
        self._objects = objects
        self._ids = ids
        self._clock = clock

    async def keep(self, actor: Actor, data: bytes) -> str:
        """Store a piece and return its id. Raises `TooManyPieces`, `ObjectStoreUnavailable`. Requests at the same time
        may exceed the limits of an app and its tenant by one piece each."""
        assert len(data) <= PIECE_BYTES_MAX, "the route has limited the body"
        all_sizes, own_sizes = list[int](), list[int]()
        async for page in self._objects.pages(f"{RECEIVED}/{actor.tenant_id}"):
            all_sizes += [one.size_bytes for one in page]
            own_sizes += [one.size_bytes for one in page if one.name.split("/")[3] == _app(actor)]
        for sizes, pieces_max, bytes_max in (
            (all_sizes, TENANT_PIECES_MAX, TENANT_BYTES_MAX),
            (own_sizes, APP_PIECES_MAX, APP_BYTES_MAX),
        ):
            if len(sizes) >= pieces_max or sum(sizes) + len(data) > bytes_max:
                raise TooManyPieces
        piece = f"{self._ids.new('')}-{len(data)}-{hashlib.sha256(data).hexdigest()}"
        await self._objects.put(f"{_folder(actor)}/{piece}", data)
        return piece

    async def remove(self, actor: Actor, piece: str) -> None:
        """Remove a piece of the actor's, if it exists."""
        await self._objects.remove(stored_piece(actor, piece).name)

    async def missing(self, actor: Actor, pieces: Sequence[str]) -> Sequence[str]:
        """Return those of the pieces that a new job of the actor may not name: they do not exist in its folder, or were
        sent more than a day ago."""
        since_us = self._clock.now_us() - NAMED_US_MAX
        stored: set[str] = set()
        async for page in self._objects.pages(_folder(actor)):
            stored.update(one.name.rpartition("/")[2] for one in page)
        return [one for one in pieces if one not in stored or (time_of_ulid(one) or 0) < since_us]


def stored_piece(actor: Actor, piece: str) -> StoredObject:
    """Return the object of the actor's piece with an id of the form `PIECE_ID`. It need not exist."""
    _, _, sha256 = piece.split("-")
    return StoredObject(f"{_folder(actor)}/{piece}", size_of_piece(piece), bytes.fromhex(sha256))


def size_of_piece(piece: str) -> int:
    """Return the number of bytes that an id of the form `PIECE_ID` states."""
    return int(piece.split("-")[1])


def _app(actor: Actor) -> str:
    return actor.client_id or _WHOLE_TENANT


def _folder(actor: Actor) -> str:
    sender = (actor.tenant_id, actor.organization_id or _WHOLE_TENANT, _app(actor))
    return "/".join((RECEIVED, *sender))
