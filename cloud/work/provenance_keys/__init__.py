"""The keys that sign records of provenance, their publication, and the signer of each tenant."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.work.provenance_keys.findings import provenance_key_finding
    from cloud.work.provenance_keys.keys import ProvenanceKeys
    from cloud.work.provenance_keys.provenance_key import ProvenanceKey
    from cloud.work.provenance_keys.signer import RecordSigner, TenantVerifyKeys, signers_of
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tables="tables",
    tags={"Evidence": "The chain of custody of evidence, and the keys that verify it."},
    routes=("routes:routes",),
    commands={"provenance-keys": "cli:provenance_keys"},
)
