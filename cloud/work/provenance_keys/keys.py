"""Make, rotate and withdraw the keys that sign records of provenance."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.master_key import MasterKey
from cloud.foundation.process import Process
from cloud.foundation.signing_keys import KeyRing, KeyStore
from cloud.work.provenance_keys.errors import ProvenanceKeysAbsent, ProvenanceKeyUnknown
from cloud.work.provenance_keys.provenance_key import ProvenanceKey, generate
from cloud.work.provenance_keys.tables import provenance_keys


class ProvenanceKeys(KeyRing[ProvenanceKey]):
    """The key ring of provenance keys. The function `master` returns the master key, and is called only to make a
    key."""

    UNKNOWN = ProvenanceKeyUnknown

    def __init__(self, database: Database, clock: Clock, master: Callable[[], MasterKey]) -> None:
        store = KeyStore(provenance_keys, ProvenanceKey)
        super().__init__(database, clock, store, lambda number, now_us: generate(number, master(), now_us))
        self._audit = Audit(clock)

    @classmethod
    def of(cls, process: Process) -> "ProvenanceKeys":
        return cls(process.database, process.clock, process.master)

    async def listed(self) -> Sequence[ProvenanceKey]:
        """Return all keys, newest first, also withdrawn ones; make the first keys if there are none."""
        keys = await self.list()
        if not keys:
            await self.ensure()
            keys = await self.list()
        return [*reversed(keys)]

    async def current(self, tx: Transaction) -> ProvenanceKey:
        """Return the key that signs now. If there are no keys, make the first ones in `tx`, which takes a millisecond.
        Raises `ProvenanceKeysAbsent` if another process makes them at the same time."""
        keys = await self._store.list(tx)
        if not keys:
            now_us = self._clock.now_us()
            made = [self._generate(number, now_us) for number in (1, 2)]
            with suppress(ConstraintViolated):  # another process made them first
                async with tx.savepoint():
                    await self._add_first(tx, made[0], made[1], now_us)
            keys = await self._store.list(tx)
        for key in keys:
            if key.is_current:
                return key
        raise ProvenanceKeysAbsent

    async def _record_rotation(self, tx: Transaction, current: ProvenanceKey) -> None:
        """Write an audit entry for every tenant, since the keys sign records of every tenant."""
        await self._audit.record_for_every_tenant(tx, "provenance_key.rotate", current.kid)

    async def _record_withdrawal(self, tx: Transaction, withdrawn: ProvenanceKey) -> None:
        await self._audit.record_for_every_tenant(tx, "provenance_key.withdraw", withdrawn.kid)
