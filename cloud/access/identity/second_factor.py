"""The second factor: time-based codes of six digits (RFC 6238), as authenticator apps generate them.

The secret is sealed (encrypted) with the master key under the user's id. A code is valid in its own time step of 30 s
and in the two adjacent steps, and only once: the step of the last used code is stored, and only codes of later steps
are accepted (RFC 6238 §5.2).
"""

import hmac
import re
from datetime import UTC, datetime

import pyotp
import segno
from sqlalchemy import or_, select, update

from cloud.access.identity.tables import SEALED_FOR, users
from cloud.foundation.db import Transaction
from cloud.foundation.master_key import MasterKey

STEP_S = 30
SECOND_US = 1_000_000
ISSUER = "Argus"


_SECRET = re.compile(r"[A-Z2-7]{32}")


def new_secret() -> str:
    """Generate the secret of a second factor: 160 bits in Base32."""
    return pyotp.random_base32(32)


def is_secret(text: str) -> bool:
    """Return whether a text has the form of a second factor's secret: 32 characters of Base32."""
    return _SECRET.fullmatch(text) is not None


def address_of(secret: str, username: str) -> str:
    """Return the `otpauth:` address of a secret, for the QR code and for a link to an app on the same device."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def picture_of(secret: str, username: str) -> str:
    """Return the QR code of a secret as a data URI for an `img` element."""
    return str(segno.make(address_of(secret, username), error="m").svg_data_uri(scale=4, border=2))


def step_of(secret: str, code: str, now_us: int) -> int | None:
    """Return the number (since 1970) of the code's 30 s time step, or None if the code is not valid now."""
    digits = "".join(letter for letter in code if letter.isascii() and letter.isdigit())
    if len(digits) != 6:
        return None
    totp = pyotp.TOTP(secret)
    now_step = now_us // SECOND_US // STEP_S
    found = None
    for step in (now_step - 1, now_step, now_step + 1):
        moment = datetime.fromtimestamp(step * STEP_S, UTC)
        if hmac.compare_digest(totp.at(moment), digits):
            found = step
    return found


class SecondFactorStore:
    """SQL statements that read and write second factors."""

    async def secret(self, tx: Transaction, master: MasterKey, user_id: str) -> str | None:
        """Return the unsealed secret of a user, or None if the user has no second factor. Raises `SealBroken`."""
        sealed = (await tx.execute(select(users.c.totp_secret_sealed).where(users.c.id == user_id))).scalar()
        return None if sealed is None else master.open(SEALED_FOR, user_id, bytes(sealed)).decode()

    async def set(self, tx: Transaction, master: MasterKey, user_id: str, secret: str, step: int) -> bool:
        """Store the secret of a user who has no second factor, and the time step of the code that verified the secret.
        Return False if the user already has a second factor."""
        statement = update(users).where(users.c.id == user_id, users.c.totp_secret_sealed.is_(None))
        sealed = master.seal(SEALED_FOR, user_id, secret.encode())
        return (await tx.execute(statement.values(totp_secret_sealed=sealed, totp_step=step))).rowcount == 1

    async def use(self, tx: Transaction, user_id: str, step: int) -> bool:
        """Record that a user's code of the time step `step` was used. Return False when a code of the same or a later
        step was used before."""
        unused = or_(users.c.totp_step.is_(None), users.c.totp_step < step)
        statement = update(users).where(users.c.id == user_id, unused)
        return (await tx.execute(statement.values(totp_step=step))).rowcount == 1

    async def remove(self, tx: Transaction, user_id: str) -> None:
        await tx.execute(update(users).where(users.c.id == user_id).values(totp_secret_sealed=None, totp_step=None))
