"""Compare bundles with the resource classes of `fhir.resources`.

They know the members and types of each resource, but not the codes that a member may have. The classes are those of
R4B, which has the resources of a bundle unchanged from R4. The package takes 20 MB and a seventh of a second to load,
so it is imported at the first use."""

from typing import TYPE_CHECKING, Any

import orjson

from cloud.clinical.fhir.samples import sample_bundle

if TYPE_CHECKING:
    from pydantic import ValidationError

FAULTS_MAX = 20
"""Faults that are reported. A fault of a template is in each of its observations."""


def find_faults(body: bytes) -> list[str]:
    """Return the first faults of a bundle: the place and the kind of fault, never a value."""
    from fhir.resources.R4B.bundle import Bundle
    from pydantic import BaseModel, ValidationError

    model: type[BaseModel] = Bundle
    try:
        model.model_validate_json(body)
    except ValidationError as error:
        return _faults(error)
    return []


def find_sample_faults() -> dict[str, list[str]]:
    """Return the faults of a sample of each resource class of a bundle. Classes without a fault are left out."""
    bundle = orjson.loads(sample_bundle())
    found: dict[str, list[str]] = {}
    for entry in bundle["entry"]:
        one = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        if faults := find_faults(orjson.dumps(one)):
            found.setdefault(entry["resource"]["resourceType"], []).extend(faults)
    return found


def _faults(error: "ValidationError") -> list[str]:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [_fault(one) for one in found[:FAULTS_MAX]]


def _fault(error: Any) -> str:
    return f"{'.'.join(map(str, error['loc']))}: {error['type']}"
