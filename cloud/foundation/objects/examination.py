"""Examine the object store for `argus-cloud doctor`: put, read and remove a small object."""

from cloud.foundation.errors import DomainError
from cloud.foundation.findings import Finding, Level
from cloud.foundation.ids import Ids
from cloud.foundation.objects.store import ObjectStore

PROBES = "probes"
_PROBE = b"argus-cloud doctor"
_PART = "objects"


async def examine_store(store: ObjectStore | None, ids: Ids) -> Finding:
    """Return a finding that names the reason why the store cannot be used, or that it can."""
    if store is None:
        sentence = (
            "No object store is set, so waveforms lie in the database; set objects_dir, or [objects] url for an S3 "
            "service."
        )
        return Finding(_PART, Level.WARNING, sentence)
    try:
        stored = await store.put(f"{PROBES}/{ids.new('')}", _PROBE)
        try:
            await store.read(stored)
        finally:
            await store.remove(stored.name)
    except DomainError as error:
        return Finding(_PART, Level.FAULT, error.sentence)
    return Finding(_PART, Level.OK, "Objects can be stored, read and removed.")
