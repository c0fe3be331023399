"""The types of the SDK for Python, generated from the OpenAPI document: `make sdk-types` writes them.

The generator is datamodel-code-generator: it has releases every month, and writes `TypedDict`s, which are
the JSON values themselves. A response is used as it arrived, at no cost and without a package at run time, and members
that a later version of the API adds are no error. openapi-python-client writes a whole client of attrs classes, with
neither retries nor pages, and chooses the names of its functions itself.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.builders.published_contract import published_contract
from tests.tidy.sources import ROOT

TYPES = ROOT / "sdk" / "python" / "src" / "argus_sdk" / "types.py"
HEADER = '"""Types of the API, generated from its OpenAPI document. Do not edit: `make sdk-types` writes this file."""'
_GENERATOR = (sys.executable, "-m", "datamodel_code_generator")
_OPTIONS = (
    *("--input-file-type", "openapi"),
    *("--output-model-type", "typing.TypedDict"),
    *("--target-python-version", "3.11"),
    *("--enum-field-as-literal", "all"),
    *("--formatters", "builtin"),
    *("--custom-file-header", HEADER),
    *("--use-schema-description", "--use-field-description", "--use-single-line-docstring"),
    *("--use-standard-collections", "--use-union-operator"),
)


def generated_types() -> str:
    """Return the module of types as the generator writes it now."""
    with tempfile.TemporaryDirectory() as folder:
        document, module = Path(folder) / "openapi.json", Path(folder) / "types.py"
        document.write_text(json.dumps(_open(published_contract())))
        subprocess.run(
            (*_GENERATOR, *_OPTIONS, "--input", str(document), "--output", str(module)),
            check=True,
            capture_output=True,
        )
        return module.read_text()


def _open(value: Any) -> Any:
    """Return a document without `additionalProperties: false`: the service refuses unknown members of a request, but a
    client accepts members that a later version of the service adds to a response."""
    if isinstance(value, dict):
        return {name: _open(one) for name, one in value.items() if (name, one) != ("additionalProperties", False)}
    if isinstance(value, list):
        return [_open(one) for one in value]
    return value


if __name__ == "__main__":
    TYPES.write_text(generated_types())
