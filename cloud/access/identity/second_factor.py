"""The second factor: time-based codes of six digits (RFC 6238), as authenticator apps make them.

The secret is sealed with the master key under the user's id. A code counts in its own half minute and the two beside
it, and once only: the step of the last one that was used is kept, and only a later one is accepted (RFC 6238 §5.2).
"""

import hmac
import re
from datetime import UTC, datetime

import pyotp
import segno
from sqlalchemy import or_, select, update

from cloud.access.identity.tables import users
from cloud.foundation.db import Transaction
from cloud.foundation.master_key import MasterKey

SEALED_FOR = "second factor"
STEP_S = 30
SECOND_US = 1_000_000
ISSUER = "Argus"


_SECRET = re.compile(r"[A-Z2-7]{32}")


def new_secret() -> str:
    """Base32, 160 bits."""
    return pyotp.random_base32(32)


def is_secret(text: str) -> bool:
    """Whether this can be one of `new_secret`."""
    return _SECRET.fullmatch(text) is not None


def address_of(secret: str, username: str) -> str:
    """The `otpauth:` address of the QR code and of the link for an authenticator app on the same device."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def picture_of(secret: str, username: str) -> str:
    """The QR code as an address for `img`."""
    return str(segno.make(address_of(secret, username), error="m").svg_data_uri(scale=4, border=2))


def step_of(secret: str, code: str, now_us: int) -> int | None:
    """The time step whose code this is, None when it is none of now."""
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
    """Every statement about it."""

    async def secret(self, tx: Transaction, master: MasterKey, user_id: str) -> str | None:
        """The secret of a person, None when they have none. Raises `SealBroken`."""
        sealed = (await tx.execute(select(users.c.totp_secret_sealed).where(users.c.id == user_id))).scalar()
        return None if sealed is None else master.open(SEALED_FOR, user_id, bytes(sealed)).decode()

    async def set(self, tx: Transaction, master: MasterKey, user_id: str, secret: str, step: int) -> bool:
        """Give somebody their first secret, proved by the code of `step`. False: they have one already."""
        statement = update(users).where(users.c.id == user_id, users.c.totp_secret_sealed.is_(None))
        sealed = master.seal(SEALED_FOR, user_id, secret.encode())
        return (await tx.execute(statement.values(totp_secret_sealed=sealed, totp_step=step))).rowcount == 1

    async def use(self, tx: Transaction, user_id: str, step: int) -> bool:
        """Spend the code of a step. False: it, or a later one, was used before."""
        unused = or_(users.c.totp_step.is_(None), users.c.totp_step < step)
        statement = update(users).where(users.c.id == user_id, unused)
        return (await tx.execute(statement.values(totp_step=step))).rowcount == 1

    async def remove(self, tx: Transaction, user_id: str) -> None:
        """For somebody who has lost their telephone; an operator has to make sure who asks."""
        await tx.execute(update(users).where(users.c.id == user_id).values(totp_secret_sealed=None, totp_step=None))
