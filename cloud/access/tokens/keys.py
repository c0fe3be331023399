"""Make, rotate and withdraw the signing keys of access tokens. Every change is recorded in the change log, which
processes that verify tokens read. A change by an operator is also recorded in the audit trail of every tenant, since
these keys sign tokens of every tenant.
"""

from collections.abc import Callable

from cloud.access.audit import Audit
from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tokens.errors import KeyUnknown
from cloud.access.tokens.signing_key import SigningKey, generate
from cloud.access.tokens.store import SigningKeyStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.master_key import MasterKey
from cloud.foundation.signing_keys import KeyRing

Make = Callable[[int, MasterKey, int], SigningKey]
"""Makes the key with this number at this time (µs)."""


class SigningKeys(KeyRing[SigningKey]):
    """Operations on signing keys. The function `master` returns the master key, and is called only to make a signing
    key. Every token that a withdrawn key signed becomes invalid."""

    UNKNOWN = KeyUnknown

    def __init__(
        self, database: Database, clock: Clock, master: Callable[[], MasterKey], make: Make = generate
    ) -> None:
        super().__init__(database, clock, SigningKeyStore(), lambda number, now_us: make(number, master(), now_us))
        self._changes = ChangeLog()
        self._audit = Audit(clock)

    async def _record(self, tx: Transaction) -> None:
        await self._changes.record(tx, ChangeKind.KEYS, "", self._clock.now_us())

    async def _record_rotation(self, tx: Transaction, current: SigningKey) -> None:
        await self._audit.record_for_every_tenant(tx, "key.rotate", current.kid)

    async def _record_withdrawal(self, tx: Transaction, withdrawn: SigningKey) -> None:
        await self._audit.record_for_every_tenant(tx, "key.withdraw", withdrawn.kid)
