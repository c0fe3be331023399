"""Errors about FHIR bundles."""

from cloud.foundation.errors import DomainError


class BundleInvalid(DomainError, code="fhir_bundle_invalid", status=500):
    """The bundle does not agree with FHIR R4 and was not sent. The operator's log has the fields that are wrong."""
