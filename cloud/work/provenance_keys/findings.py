"""The finding of `argus-cloud doctor` about the keys that sign records of provenance."""

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.findings import Finding, Level
from cloud.foundation.master_key import load_master_key
from cloud.foundation.settings import Settings
from cloud.work.provenance_keys.keys import ProvenanceKeys

PART = "provenance keys"


async def provenance_key_finding(settings: Settings, database: Database) -> Finding:
    """Report which key signs, and whether the master key opens it."""
    try:
        master = load_master_key(settings)
        keys = await ProvenanceKeys(database, SystemClock(), lambda: master).list()
        current = next((key for key in keys if key.is_current), None)
        if current is None:
            return Finding(PART, Level.OK, "None yet; the first record of provenance makes them.")
        current.signer(master)
    except DomainError as error:
        return Finding(PART, Level.FAULT, error.sentence)
    return Finding(PART, Level.OK, f"{current.kid} signs, the master key opens it, and {len(keys)} keys are published.")
