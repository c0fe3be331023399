"""SQL statements on signing keys and revoked tokens. Keys and revocations apply to the whole installation, so no
`Viewer` limits the statements.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, select, update

from cloud.access.tokens.signing_key import SKEW_US, SigningKey
from cloud.access.tokens.tables import revoked_tokens, signing_keys
from cloud.foundation.db import Prepared, Transaction, insert
from cloud.foundation.signing_keys import KeyStore

_REVOKED = Prepared(
    select(revoked_tokens.c.jti).where(revoked_tokens.c.expires_at_us > bindparam("now")).limit(bindparam("most"))
)
_IS_REVOKED = Prepared(select(revoked_tokens.c.jti).where(revoked_tokens.c.jti == bindparam("jti")))


class SigningKeyStore(KeyStore[SigningKey]):
    """SQL statements that read and write signing keys."""

    def __init__(self) -> None:
        super().__init__(signing_keys, SigningKey)

    async def cover(self, tx: Transaction, kid: str, until_us: int) -> bool:
        """Keep a signing key published at least until `until_us`. Return False when the key no longer signs."""
        statement = (
            update(signing_keys)
            .where(
                signing_keys.c.kid == kid,
                signing_keys.c.retired_at_us.is_(None),
                signing_keys.c.withdrawn_at_us.is_(None),
                signing_keys.c.signs_from_us.is_not(None),
            )
            .values(covers_until_us=func.greatest(signing_keys.c.covers_until_us, until_us))
        )
        if tx.dialect == "sqlite":  # SQLite's scalar function is called max
            statement = statement.values(covers_until_us=func.max(signing_keys.c.covers_until_us, until_us))
        return (await tx.execute(statement)).rowcount == 1


class RevokedTokenStore:
    """SQL statements that read and write revoked tokens."""

    async def add(self, tx: Transaction, jti: str, client_id: str, expires_at_us: int, now_us: int) -> bool:
        """Add a revoked token and delete the expired ones. Return False when this token was revoked before."""
        await tx.execute(delete(revoked_tokens).where(revoked_tokens.c.expires_at_us < now_us - SKEW_US))
        statement = insert(revoked_tokens).values(
            jti=jti, client_id=client_id, expires_at_us=expires_at_us, revoked_at_us=now_us
        )
        added = await tx.execute(statement.on_conflict_do_nothing().returning(revoked_tokens.c.jti))
        return added.first() is not None

    async def alive(self, tx: Transaction, now_us: int, most: int) -> Sequence[str]:
        """Return the ids (jti) of at most `most` revoked tokens that have not expired."""
        return [str(row[0]) for row in await tx.driver.rows(_REVOKED, {"now": now_us, "most": most})]

    async def has(self, tx: Transaction, jti: str) -> bool:
        return bool(await tx.driver.rows(_IS_REVOKED, {"jti": jti}))
