"""Settings of FHIR bundles."""

from cloud.foundation.settings import Section


class FhirSection(Section):
    """`[fhir]`: FHIR bundles of encounters."""

    validate_bundles: bool = False
    """Compare each bundle with the resource classes of `fhir.resources` before it is sent. A part of 5000 entries then
    takes about a second longer. For the time after an upgrade, or to find a fault that a receiver reports."""
