"""Recovery codes: the second factor of a user who has lost the authenticator app. A user receives ten codes, and each
works once in place of the six digits. A code has 80 random bits, so it cannot be guessed, and a fast digest of the code
is safe to store.
"""

import hashlib
import secrets
from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select

from cloud.access.identity.tables import recovery_codes
from cloud.foundation.db import Transaction

CODES = 10
"""Codes of one user: enough for some lost or forgotten phones, and few enough to print or to keep on a card."""
CHARACTERS = 16
"""Characters of a code. Each carries 5 bits."""
GROUP = 4
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's Base32, in which no two characters look alike."""
_READ_AS = str.maketrans("ILO", "110", "- \t")


def generate() -> tuple[str, ...]:
    """Generate the recovery codes of one user in the displayed form, such as `7KQ2-M9XD-0RTV-AH4C`."""
    return tuple(_grouped("".join(secrets.choice(ALPHABET) for _ in range(CHARACTERS))) for _ in range(CODES))


def read_code(text: str) -> str | None:
    """Return the 16 characters of a typed recovery code; None when the text cannot be a code. Case, spaces and hyphens
    are ignored. I and L are read as 1, and O as 0, since they look alike."""
    code = text.upper().translate(_READ_AS)
    return code if len(code) == CHARACTERS and set(code) <= set(ALPHABET) else None


class RecoveryCodeStore:
    """SQL statements that read and write recovery codes."""

    async def replace(self, tx: Transaction, user_id: str, codes: Sequence[str]) -> None:
        """Store the digests of new recovery codes; the user's earlier codes stop working."""
        await self.remove(tx, user_id)
        rows = [{"user_id": user_id, "digest": _digest(user_id, code.replace("-", ""))} for code in codes]
        await tx.execute(insert(recovery_codes), rows)

    async def use(self, tx: Transaction, user_id: str, code: str) -> bool:
        """Delete a recovery code of a user, since a code works only once. `code`: the 16 characters without hyphens.
        Return False if the user has no such code."""
        ours = (recovery_codes.c.user_id == user_id, recovery_codes.c.digest == _digest(user_id, code))
        return (await tx.execute(delete(recovery_codes).where(*ours))).rowcount == 1

    async def count(self, tx: Transaction, user_id: str) -> int:
        """Return the number of unused recovery codes of a user."""
        statement = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.user_id == user_id)
        return int((await tx.execute(statement)).scalar() or 0)

    async def remove(self, tx: Transaction, user_id: str) -> None:
        await tx.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))


def _grouped(characters: str) -> str:
    return "-".join(characters[at : at + GROUP] for at in range(0, len(characters), GROUP))


def _digest(user_id: str, code: str) -> bytes:
    return hashlib.sha256("\0".join(("argus recovery code", user_id, code)).encode()).digest()
