"""The rows of signing keys and of revoked tokens. They belong to the installation, so no `Viewer` is asked."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update

from cloud.access.tokens.signing_key import SKEW_US, SigningKey
from cloud.access.tokens.tables import revoked_tokens, signing_keys
from cloud.foundation.db import Prepared, Transaction, insert

_REVOKED = Prepared(
    select(revoked_tokens.c.jti).where(revoked_tokens.c.expires_at_us > bindparam("now")).limit(bindparam("most"))
)
_IS_REVOKED = Prepared(select(revoked_tokens.c.jti).where(revoked_tokens.c.jti == bindparam("jti")))


class KeyStore:
    """Every statement about signing keys."""

    async def list(self, tx: Transaction, *, lock: bool = False) -> Sequence[SigningKey]:
        """All keys, oldest first. `lock`: nobody else changes them until `tx` ends."""
        statement = select(signing_keys).order_by(signing_keys.c.number)
        rows = await tx.execute(statement.with_for_update() if lock else statement)
        return [_key(row._mapping) for row in rows]

    async def any(self, tx: Transaction) -> bool:
        return (await tx.execute(select(signing_keys.c.number).limit(1))).first() is not None

    async def add(self, tx: Transaction, key: SigningKey) -> None:
        """Raises `ConstraintViolated` when somebody else made the key of that number."""
        await tx.execute(
            insert(signing_keys).values(
                number=key.number,
                kid=key.kid,
                public_key=key.public_key,
                private_key_sealed=key.private_key_sealed,
                published_at_us=key.published_at_us,
                signs_from_us=key.signs_from_us,
                retired_at_us=key.retired_at_us,
                covers_until_us=key.covers_until_us,
                withdrawn_at_us=key.withdrawn_at_us,
            )
        )

    async def move(self, tx: Transaction, key: SigningKey) -> None:
        """Write where the key now is in its life."""
        await tx.execute(
            update(signing_keys)
            .where(signing_keys.c.number == key.number)
            .values(
                signs_from_us=key.signs_from_us,
                retired_at_us=key.retired_at_us,
                withdrawn_at_us=key.withdrawn_at_us,
            )
        )

    async def cover(self, tx: Transaction, kid: str, until_us: int) -> bool:
        """Keep the key published until then; False when it no longer signs."""
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
        if tx.dialect == "sqlite":  # where the scalar form is called max
            statement = statement.values(covers_until_us=func.max(signing_keys.c.covers_until_us, until_us))
        return (await tx.execute(statement)).rowcount == 1


class RevokedTokenStore:
    """Every statement about revoked tokens."""

    async def add(self, tx: Transaction, jti: str, client_id: str, expires_at_us: int, now_us: int) -> bool:
        """False when it was revoked before. Forgets those that have expired."""
        await tx.execute(delete(revoked_tokens).where(revoked_tokens.c.expires_at_us < now_us - SKEW_US))
        statement = insert(revoked_tokens).values(
            jti=jti, client_id=client_id, expires_at_us=expires_at_us, revoked_at_us=now_us
        )
        added = await tx.execute(statement.on_conflict_do_nothing().returning(revoked_tokens.c.jti))
        return added.first() is not None

    async def alive(self, tx: Transaction, now_us: int, most: int) -> Sequence[str]:
        """The jti of revoked tokens that have not expired, at most so many."""
        return [str(row[0]) for row in await tx.driver.rows(_REVOKED, {"now": now_us, "most": most})]

    async def has(self, tx: Transaction, jti: str) -> bool:
        return bool(await tx.driver.rows(_IS_REVOKED, {"jti": jti}))


def _key(row: Any) -> SigningKey:
    """Columns and fields have the same names."""
    return SigningKey(**row)
