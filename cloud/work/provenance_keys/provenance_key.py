"""A key pair of the platform that signs records of provenance with ML-DSA-65 (FIPS 204; contract matrix A-127)."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from cloud.foundation.master_key import MasterKey
from cloud.foundation.moments import write_moment
from cloud.foundation.signing_keys import LifeCycle, StoredKey
from cloud.work.provenance_keys.errors import ProvenanceKeyTooFresh, TooManyProvenanceKeys
from cloud.work.provenance_keys.pqc_adapter import MlDsaSigner, generate_seed
from cloud.work.provenance_keys.tables import SEALED_FOR
from protocols.provenance.key_period import KeyPeriod, read_period
from protocols.provenance.signatures import Algorithm

SECOND_US = 1_000_000
MAX_AGE_S = 300
STALE_S = 600
"""Times for which the key set may be cached, and served while a new one is fetched: those of the token keys (C-246)."""
FOR_EVER_US = 10_000 * 365 * 86_400 * SECOND_US
PUBLISHED_MAX = 256
"""Limit of the published keys: a rotation each month for twenty years, and 0.7 MB for a client that reads the set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceKey(StoredKey):
    """An ML-DSA-65 key pair; `public_key` is the 1952 raw bytes of FIPS 204. It stays published for ever, since what it
    signed is evidence."""

    LIFE: ClassVar[LifeCycle] = LifeCycle(
        publish_ahead_us=(MAX_AGE_S + STALE_S) * SECOND_US,
        publish_after_us=FOR_EVER_US,
        published_max=PUBLISHED_MAX,
        too_fresh=ProvenanceKeyTooFresh,
        too_many=TooManyProvenanceKeys,
    )

    def signer(self, master: MasterKey) -> MlDsaSigner:
        """Unseal the private key. Raises `SealBroken` when the master key file lacks the key that sealed it."""
        return MlDsaSigner(master.open(SEALED_FOR, self.kid, self.private_key_sealed), self.kid)

    def published_form(self) -> dict[str, Any]:
        """Return the key as the key set lists it (contract matrix C-245, A-127)."""
        return {
            "kid": self.kid,
            "alg": Algorithm.ML_DSA_65.value,
            "public_key": base64.b64encode(self.public_key).decode(),
            **self._stated_period(),
        }

    def period(self) -> KeyPeriod:
        """Return the period in which the key signs, as the key set states it."""
        return read_period(self._stated_period())

    def _stated_period(self) -> dict[str, str | None]:
        ends_us = [at_us for at_us in (self.retired_at_us, self.withdrawn_at_us) if at_us is not None]
        return {
            "not_before": write_moment(self.signs_from_us),
            "not_after": write_moment(min(ends_us, default=None)),
            "status": self.state.value,
        }


def generate(number: int, master: MasterKey, now_us: int) -> ProvenanceKey:
    """Generate the provenance key with this sequence number. Its private half is sealed under the master key."""
    seed = generate_seed()
    month = f"{datetime.fromtimestamp(now_us / SECOND_US, UTC):%Y-%m}"
    kid = f"prov-{month}-mldsa" if number == 1 else f"prov-{month}-mldsa-{number}"
    return ProvenanceKey(
        number=number,
        kid=kid,
        public_key=MlDsaSigner(seed, kid).public_key,
        private_key_sealed=master.seal(SEALED_FOR, kid, seed),
        published_at_us=now_us,
    )
