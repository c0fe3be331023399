"""Identities of reports and of their encounters. Both directions agree, so an imported report keeps its UUID."""

import re
from uuid import NAMESPACE_URL, UUID, uuid5

from cloud.clinical.epcr import Encounter

_IMPORTED = re.compile("enc_([0-9a-f]{32})", re.ASCII)
_VERSIONS = range(1, 6)
"""Versions of a UUID that NEMSIS permits."""


def encounter_id_of(report_id: UUID) -> str:
    """Return the id of the encounter that the import of a report creates."""
    return f"enc_{report_id.hex}"


def report_id_of(encounter: Encounter) -> UUID:
    """Return the identity of the report of an encounter: that of the imported report, or else one that is derived from
    the tenant and the encounter."""
    if (found := _IMPORTED.fullmatch(encounter.id)) is not None:
        imported = UUID(found[1])
        if imported.version in _VERSIONS:
            return imported
    return uuid5(NAMESPACE_URL, f"urn:argus:nemsis:{encounter.tenant_id}:{encounter.id}")
