"""Errors of the keys that sign records of provenance."""

from cloud.foundation.errors import PrivateError


class ProvenanceKeyTooFresh(PrivateError, code="provenance_key_too_fresh", status=409):
    """The next provenance key was published too recently for verifiers that cache the key set. Try again later."""


class TooManyProvenanceKeys(PrivateError, code="too_many_provenance_keys", status=409):
    """The set of provenance keys is full. No key leaves it, since records that it signed may be checked at any time."""


class ProvenanceKeysAbsent(PrivateError, code="provenance_keys_absent", status=503):
    """The provenance keys are not available. Try again shortly."""


class ProvenanceKeyUnknown(PrivateError, code="provenance_key_unknown", status=404):
    """Provenance key not found."""
