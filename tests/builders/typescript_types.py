"""Write the types of the TypeScript SDK from the OpenAPI document: `python -m tests.builders.typescript_types`."""

import json
from pathlib import Path
from typing import Any

from tests.builders.published_contract import published_contract
from tests.harness.typescript_sdk import FOLDER, run

GENERATED = FOLDER / "src" / "generated"


def generate(folder: Path) -> None:
    """Write the generated modules to a folder."""
    document = json.dumps(_without_examples(published_contract()))
    run(FOLDER, "node", "tools/generate.mjs", folder, text=document)


def _without_examples(value: Any, *, is_properties: bool = False) -> Any:
    """Return a value of the document without examples, which would be half of the types; the documentation has them.
    `is_properties`: the names in `value` are those of properties, one of which may be called `example`."""
    if isinstance(value, list):
        return [_without_examples(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_examples(one, is_properties=name == "properties")
        for name, one in value.items()
        if is_properties or name not in ("example", "examples")
    }


if __name__ == "__main__":
    generate(GENERATED)
