"""Sign records of provenance under both algorithms, and find the keys that verify them.

HMAC-SHA-256 signs with a key of the tenant, which is derived from the master key when it is needed and never stored
(contract matrix A-116). Its `kid` is the id of the master key, so a record stays verifiable after a rotation of the
master key. ML-DSA-65 signs with the key of the platform.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cloud.foundation.arrivals import Installation
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.master_key import MasterKey
from cloud.foundation.process import Process
from cloud.work.provenance_keys.keys import ProvenanceKeys
from cloud.work.provenance_keys.pqc_adapter import MlDsaSigner
from cloud.work.provenance_keys.provenance_key import ProvenanceKey
from protocols.provenance.key_period import KeyPeriod
from protocols.provenance.signatures import Algorithm, HmacKey, MlDsaPublicKey, Signer, VerifyKey, tenant_key

KEPT_S = 10.0
"""Time for which a process signs with the key that it has opened. After a rotation the former key signs for at most so
long."""
SURE_US = 600_000_000
"""Age from which a key is certainly committed: no transaction lasts so long. A younger one may have been made in the
caller's own transaction, and is lost if that is rolled back, so it is read again for each record."""


@dataclass(frozen=True, slots=True)
class TenantVerifyKeys:
    """The keys that verify the records of one tenant (`VerifyKeys` of the transcript), with all former ones."""

    _tenant_id: str
    _master: MasterKey
    _platform: Mapping[str, ProvenanceKey]

    def find(self, algorithm: Algorithm, kid: str) -> VerifyKey | None:
        """Return the key of this algorithm and id; None if there is none. For HMAC, None also means that the master
        key file no longer holds the key from which the tenant's key was derived."""
        if algorithm is Algorithm.ML_DSA_65:
            published = self._platform.get(kid)
            return None if published is None else MlDsaPublicKey(published.public_key)
        octets = self._master.bytes_of(kid)
        return None if octets is None else HmacKey(tenant_key(octets, self._tenant_id, kid), kid)

    def period(self, algorithm: Algorithm, kid: str) -> KeyPeriod | None:
        """Return the period of a key that `find` returned. A key of HMAC has none, since it is never in other hands."""
        return self._platform[kid].period() if algorithm is Algorithm.ML_DSA_65 else None


class RecordSigner:
    """Gives the keys that sign now, and those that verify. The function `master` returns the master key."""

    def __init__(self, keys: ProvenanceKeys, clock: Clock, master: Callable[[], MasterKey]) -> None:
        self._keys = keys
        self._clock = clock
        self._master = master
        self._opened: tuple[float, MasterKey, MlDsaSigner] | None = None

    @classmethod
    def of(cls, process: Process) -> "RecordSigner":
        return cls(process.shared(ProvenanceKeys.of), process.clock, process.master)

    async def of_tenant(self, tx: Transaction, tenant_id: str) -> Sequence[Signer]:
        """Return the current key of each algorithm for a tenant: HMAC-SHA-256 first, then ML-DSA-65. Every ten seconds
        this reads the keys in `tx`, and it makes the first keys of an installation. Raises `MasterKeyAbsent`,
        `SealBroken`, `ProvenanceKeysAbsent`."""
        now_s = self._clock.monotonic_s()
        if self._opened is None or now_s - self._opened[0] >= KEPT_S:
            key, master = await self._keys.current(tx), self._master()
            opened = now_s, master, key.signer(master)
            self._opened = opened if self._clock.now_us() - key.published_at_us >= SURE_US else None
        else:
            opened = self._opened
        _, master, platform = opened
        octets = master.bytes_of(master.kid)
        assert octets is not None
        return HmacKey(tenant_key(octets, tenant_id, master.kid), master.kid), platform

    async def verify_keys(self, tenant_id: str) -> TenantVerifyKeys:
        """Return the keys that verify the records of a tenant. Raises `MasterKeyAbsent`."""
        platform = {key.kid: key for key in await self._keys.list()}
        return TenantVerifyKeys(tenant_id, self._master(), platform)


def signers_of(installation: Installation) -> RecordSigner:
    """Make the signer of a process or of a console command. No key is read before the first record."""
    keys = ProvenanceKeys(installation.database, installation.clock, installation.master)
    return RecordSigner(keys, installation.clock, installation.master)
