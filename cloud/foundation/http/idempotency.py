"""Idempotency keys: a repeated request gets the first response again, and its change is made once.

The key is written in the transaction of the change, so a crash or a refused request leaves no key. A concurrent request
with the same key waits for the first one. The stored fingerprint covers the sender, the method, the URL and the body,
so a different request with a key that the tenant has used is refused (contract matrix C-158, C-159, A-068 … A-072).
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass

import orjson
from sqlalchemy import bindparam, select, update

from cloud.foundation.clock import Clock
from cloud.foundation.db import Prepared, Transaction, insert
from cloud.foundation.http.errors import IdempotencyKeyInFlight, IdempotencyKeyMalformed, IdempotencyKeyReused
from cloud.foundation.http.response import Response
from cloud.foundation.http.tables import idempotency_keys as keys

WINDOW_US = 24 * 3600 * 1_000_000
WAIT_S_MAX = 5.0
"""Time that a concurrent request with the same key waits for the first one before it is refused with 409."""

_KEY = re.compile(r'"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255})')

# Inserts the key if it is new or expired. PostgreSQL waits here while another transaction has inserted the key.
_TAKE = Prepared(
    insert(keys)
    .values(
        tenant_id=bindparam("tenant"),
        key=bindparam("name"),
        fingerprint=bindparam("fingerprint"),
        expires_at_us=bindparam("expires"),
    )
    .on_conflict_do_update(
        index_elements=["tenant_id", "key"],
        set_={
            "fingerprint": bindparam("fingerprint"),
            "expires_at_us": bindparam("expires"),
            "status": None,
            "headers": None,
            "media_type": None,
            "body": None,
        },
        where=keys.c.expires_at_us <= bindparam("now"),
    )
    .returning(keys.c.expires_at_us)
)
_FIND = Prepared(
    select(keys.c.fingerprint, keys.c.status, keys.c.headers, keys.c.media_type, keys.c.body).where(
        keys.c.tenant_id == bindparam("tenant"), keys.c.key == bindparam("name")
    )
)
_IS_STORED = Prepared(
    select(keys.c.status).where(
        keys.c.tenant_id == bindparam("tenant"),
        keys.c.key == bindparam("name"),
        keys.c.status.is_not(None),
        keys.c.expires_at_us > bindparam("now"),
    )
)
_STORE = Prepared(
    update(keys)
    .where(keys.c.tenant_id == bindparam("tenant"), keys.c.key == bindparam("name"))
    .values({name: bindparam(f"answer_{name}") for name in ("status", "headers", "media_type", "body")})
)


def read_key(header: str) -> str:
    """Return the key in an Idempotency-Key header, with or without quotes. Raises `IdempotencyKeyMalformed`."""
    found = _KEY.fullmatch(header)
    if found is None:
        raise IdempotencyKeyMalformed
    return found[1] or found[2]


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a request. The client id alone does not identify it: people of several organisations may use one
    app."""

    organization_id: str | None
    client_id: str
    subject: str


def fingerprint(sender: Sender, method: str, target: str, document: object) -> bytes:
    """Return the digest of a request's sender, method, target and body, whatever the order of keys in the body."""
    whole = [sender.organization_id, sender.client_id, sender.subject, method, target, document]
    return hashlib.sha256(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)).digest()


@dataclass(frozen=True, slots=True)
class IdempotentReply:
    """Replays or stores the response to a request. Without a `key`, no response is replayed or stored. In a service:

    async with database.transaction() as tx:
        replay = await reply.replay(tx)
        if replay is not None:
            return replay
        …the change…
        return await reply.store(tx, Created(…))
    """

    tenant_id: str
    key: str | None
    fingerprint: bytes
    clock: Clock

    async def replay(self, tx: Transaction) -> Response | None:
        """Return the stored response for this key, or None after reserving a new key. Raises `IdempotencyKeyReused` for
        a different request with this key, `IdempotencyKeyInFlight` if the first request takes too long."""
        if self.key is None:
            return None
        now_us = self.clock.now_us()
        named = {"tenant": self.tenant_id, "name": self.key}
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                taken = await tx.driver.rows(
                    _TAKE, {**named, "fingerprint": self.fingerprint, "expires": now_us + WINDOW_US, "now": now_us}
                )
        except TimeoutError:
            raise IdempotencyKeyInFlight from None
        if taken:
            return None
        known = await tx.driver.rows(_FIND, named)
        if not known or known[0][1] is None:
            raise IdempotencyKeyInFlight
        seen, status, headers, media_type, body = known[0]
        if bytes(seen) != self.fingerprint:
            raise IdempotencyKeyReused
        replayed = {**orjson.loads(headers), "Idempotency-Replayed": "true"}
        # A replay is 200, because it created nothing (C-159).
        return Response(200 if status == 201 else status, bytes(body), media_type, headers=replayed)

    async def is_stored(self, tx: Transaction) -> bool:
        """Return whether a response is stored for this key now. For work that only a new request needs, and that is
        done before the transaction of the change: there the key may have expired."""
        if self.key is None:
            return False
        values = {"tenant": self.tenant_id, "name": self.key, "now": self.clock.now_us()}
        return bool(await tx.driver.rows(_IS_STORED, values))

    async def store(self, tx: Transaction, response: Response) -> Response:
        """Store the response to the change in the change's transaction, and return it."""
        if self.key is not None:
            await tx.driver.run(
                _STORE,
                {
                    "tenant": self.tenant_id,
                    "name": self.key,
                    "answer_status": response.status,
                    "answer_headers": orjson.dumps(dict(response.headers)).decode(),
                    "answer_media_type": response.media_type,
                    "answer_body": response.body,
                },
            )
        return response
