"""SQL statements that read and write authorization codes and consents."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import bindparam, select, update

from cloud.access.oauth.tables import authorization_codes, consents
from cloud.foundation.db import Prepared, Records, Transaction, delete_chunk, insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The grant that an authorization code represents. `redirect_uri` None: the request had none. `redeemed_jti`: id of
    the token for which the code was redeemed, None while the code is unused."""

    client_id: str
    user_id: str
    redirect_uri: str | None
    scopes: str
    """Scope names, separated by spaces."""
    code_challenge: str | None
    authenticated_at_us: int
    expires_at_us: int
    redeemed_jti: str | None = None


def digest_of(code: str) -> bytes:
    """Return the digest of a code, which is stored instead of the code."""
    return hashlib.sha256(b"argus authorization code\0" + code.encode()).digest()


_CODES = Records(Code, authorization_codes)
_FIND = Prepared(_CODES.select().where(authorization_codes.c.digest == bindparam("digest")))


class CodeStore:
    """SQL statements that read and write authorization codes."""

    async def add(self, tx: Transaction, code: str, stands_for: Code) -> None:
        values = _CODES.values(stands_for)
        await tx.execute(insert(authorization_codes).values(digest=digest_of(code), **values))

    async def find(self, tx: Transaction, code: str) -> Code | None:
        rows = await tx.driver.rows(_FIND, {"digest": digest_of(code)})
        return _CODES.read(rows[0]) if rows else None

    async def redeem(self, tx: Transaction, code: str, jti: str) -> bool:
        """Mark an authorization code as redeemed for the token with the id `jti`. Return False if the code was redeemed
        before; the caller must then discard the token."""
        unused = authorization_codes.c.digest == digest_of(code), authorization_codes.c.redeemed_jti.is_(None)
        return (await tx.execute(update(authorization_codes).where(*unused).values(redeemed_jti=jti))).rowcount == 1

    async def sweep(self, tx: Transaction, before_us: int) -> int:
        """Delete a chunk of the codes that expired at or before `before_us`; return the number of codes."""
        expires_us = authorization_codes.c.expires_at_us
        return await delete_chunk(tx, authorization_codes, expires_us <= before_us, oldest=expires_us)


class ConsentStore:
    """SQL statements that read and write consents."""

    async def given(self, tx: Transaction, user_id: str, client_id: str) -> frozenset[str]:
        """Return the scopes to which a user has consented for an app."""
        ours = consents.c.user_id == user_id, consents.c.client_id == client_id
        found = (await tx.execute(select(consents.c.scopes).where(*ours))).scalar()
        return frozenset() if found is None else frozenset(str(found).split())

    async def give(self, tx: Transaction, user_id: str, client_id: str, scopes: frozenset[str], now_us: int) -> None:
        """Store the user's consent to these scopes for an app, in addition to earlier consents."""
        together = " ".join(sorted(scopes | await self.given(tx, user_id, client_id)))
        statement = insert(consents).values(user_id=user_id, client_id=client_id, scopes=together, given_at_us=now_us)
        update_to = {"scopes": together, "given_at_us": now_us}
        await tx.execute(statement.on_conflict_do_update(index_elements=["user_id", "client_id"], set_=update_to))
