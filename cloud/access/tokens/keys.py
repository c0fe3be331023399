"""Make, rotate and withdraw the signing keys of access tokens. Every change is recorded in the change log, which
processes that verify tokens read. A change by an operator is also recorded in the audit trail of every tenant, since
these keys sign tokens of every tenant.
"""

from collections.abc import Callable
from dataclasses import replace

from cloud.access.audit import Audit
from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tokens.errors import KeyUnknown
from cloud.access.tokens.signing_key import SigningKey, generate
from cloud.access.tokens.store import SigningKeyStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.master_key import MasterKey
from cloud.foundation.signing_keys import KeyRing, KeyState

Make = Callable[[int, MasterKey, int], SigningKey]
"""Makes the key with this number at this time (µs)."""


class SigningKeys(KeyRing[SigningKey]):
    """Operations on signing keys. The function `master` returns the master key, and is called only to make a signing
    key."""

    def __init__(
        self, database: Database, clock: Clock, master: Callable[[], MasterKey], make: Make = generate
    ) -> None:
        super().__init__(database, clock, SigningKeyStore(), lambda number, now_us: make(number, master(), now_us))
        self._changes = ChangeLog()
        self._audit = Audit(clock)

    async def withdraw(self, kid: str) -> None:
        """Withdraw a key that may be compromised, so that every token that it signed becomes invalid. If the current
        key is withdrawn, the next key replaces it at once. Raises `KeyUnknown`."""
        found = {key.kid: key for key in await self.list()}.get(kid)
        if found is None or found.state is KeyState.WITHDRAWN:
            raise KeyUnknown
        # Withdrawing the next key takes two rotations, so that there is still a next one. The set may be full: the
        # withdrawn key leaves it at once.
        for _ in range({KeyState.NEXT: 2, KeyState.CURRENT: 1}.get(found.state, 0)):
            await self._rotate(at_once=True, requested=False)
        async with self._database.transaction() as tx:
            (key,) = [key for key in await self._store.list(tx, lock=True) if key.kid == kid]
            await self._store.move(tx, replace(key, withdrawn_at_us=self._clock.now_us()))
            await self._record(tx)
            await self._audit.record_for_every_tenant(tx, "key.withdraw", kid)

    async def _record(self, tx: Transaction) -> None:
        await self._changes.record(tx, ChangeKind.KEYS, "", self._clock.now_us())

    async def _record_rotation(self, tx: Transaction, current: SigningKey) -> None:
        await self._audit.record_for_every_tenant(tx, "key.rotate", current.kid)
