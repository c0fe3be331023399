"""The OpenAPI document as JSON and as YAML with the same values, written once at start (contract C-254).

The YAML has no tags and no anchors. Text that a YAML 1.1 or 1.2 reader could take for a number, a truth value or a date
is quoted, so that all readers find the same values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import yaml

from cloud.foundation.http import Bases, Route, strong_etag
from cloud.partners.discovery.openapi import contract_document

# YAML 1.2 has numbers that 1.1 reads as text: 1e3, 0o17.
_NUMBER_OF_YAML_12 = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")


# libyaml writes the same bytes as PyYAML in a fifth of the time, at each start.
class _Plain(yaml.CSafeDumper):  # type: ignore[misc]  # PyYAML comes without types
    """A YAML dumper without anchors: a value that occurs twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


# PyYAML breaks lines at these and then loses them, unless they are written as escapes.
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")


def _text(dumper: _Plain, text: str) -> yaml.ScalarNode:
    style = '"' if _NUMBER_OF_YAML_12.fullmatch(text) or _LINE_ENDS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _text)


@dataclass(frozen=True, slots=True)
class Contract:
    """The OpenAPI document as JSON and YAML bytes, each with its own entity tag (contract matrix A-135)."""

    json: bytes
    json_etag: str
    yaml: bytes
    yaml_etag: str


def write_contract(document: Mapping[str, Any]) -> Contract:
    as_json = orjson.dumps(document)
    # From the JSON, so that values that JSON does not have (dates, enums) are the same text in both.
    as_yaml = yaml.dump(
        orjson.loads(as_json), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120, encoding="utf-8"
    )
    return Contract(as_json, strong_etag(as_json), as_yaml, strong_etag(as_yaml))


def make_contract(rows: Sequence[Route], bases: Bases, scopes: Mapping[str, str]) -> Contract:
    """Generate the OpenAPI document of all routes as JSON and YAML. `scopes` maps the name of each scope to its
    description. Raises `RowsDisagree` if routes contradict each other or need a scope that `scopes` does not have."""
    return write_contract(contract_document(rows, bases, scopes))
