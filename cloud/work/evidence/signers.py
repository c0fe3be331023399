"""Make the recorder of a process or of a console command, and the keys that verify its records."""

from cloud.foundation.arrivals import Installation
from cloud.work.evidence.recorder import EvidenceRecorder
from cloud.work.provenance_keys import signers_of
from protocols.provenance.signatures import VerifyKeys


def recorder_of(installation: Installation) -> EvidenceRecorder:
    """Make the recorder of an installation. No key is read before the first record."""
    return EvidenceRecorder(installation.clock, installation.ids, signers_of(installation))


async def verify_keys_of(installation: Installation, tenant_id: str) -> VerifyKeys:
    """Return the keys that verify the records of a tenant. Raises `MasterKeyAbsent`."""
    return await signers_of(installation).verify_keys(tenant_id)
