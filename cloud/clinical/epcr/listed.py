"""An encounter in a list, as partners see it: an allow-list of fields (contract A-098)."""

from typing import Any

from cloud.clinical.epcr.model import Encounter
from cloud.foundation.moments import write_moment


def listed_document(encounter: Encounter) -> dict[str, Any]:
    """Return the JSON fields of an encounter in a list."""
    return {
        "id": encounter.id,
        "organization_id": encounter.organization_id,
        "care_model": encounter.care_model,
        "status": encounter.status,
        "vehicle_id": encounter.vehicle_id,
        "created_at": write_moment(encounter.created_at_us),
    }
