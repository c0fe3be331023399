"""Commands `argus-gateway epcr elements | set | remove | void`.

The running gateway stores the changes (`gateway/epcr/record_writer`); without one they are refused, because a store has
one writer. `elements` needs neither.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from gateway.cli.output import print_json, print_json_lines, print_table
from gateway.cli.refusal import Refusal
from gateway.console.control import query
from gateway.settings import load
from protocols.epcr.catalogue import ELEMENTS, find_group
from protocols.epcr.element import Element


def list_elements(group: str | None, *, as_json: bool) -> None:
    """Print the elements of a group, or all."""
    if group is not None and find_group(group) is None:
        raise Refusal(f"the care record has no group {group}: `argus-gateway epcr elements` shows them")
    rows = [_element_json(element) for element in ELEMENTS if group in (None, element.group)]
    if as_json:
        print_json_lines(rows)
        return
    print_table(
        f"{len(rows)} elements",
        ("key", "title", "number", "values", "NEMSIS"),
        [(row["key"], row["title"]["en"], row["cardinality"], row["values"], row["nemsis"]) for row in rows],
    )


def append(
    config: Path,
    encounter: str,
    author: str,
    change: Mapping[str, Any],
    replaces: Sequence[str] | None,
    change_id: str | None,
    at: str | None,
    *,
    as_json: bool,
) -> None:
    """Store one field change through the running gateway, and print its id."""
    own_id = change_id or str(uuid.uuid4())
    sent = {**change, "id": own_id, "device_time": at, "replaces": list(replaces or ())}
    request = {"encounter": encounter, "author": author, "changes": [sent]}
    reply = asyncio.run(query(load(config).control_path, "epcr append", fields=request))
    if "stored" not in reply:
        raise Refusal(_refusal(reply))
    if as_json:
        print_json(reply)
        return
    state = "stored" if own_id in reply["stored"] else "stored already"
    typer.echo(f"{own_id} {state}")


def _refusal(reply: Mapping[str, Any]) -> str:
    faults = reply.get("refused")
    if not faults:
        return "the gateway that runs is of an earlier version: restart it first"
    return f"nothing was stored: {faults[0]['text']} ({faults[0]['code']})"


def _element_json(element: Element) -> dict[str, Any]:
    return {
        "key": element.key,
        "title": {"en": element.english, "pl": element.polish},
        "type": element.values.kind,
        "values": element.values.rule,
        "cardinality": element.cardinality,
        "usage": element.usage,
        "nemsis": element.nemsis,
        "fhir": element.fhir or None,
        "audience": element.audience,
        "negatives_with_value": sorted(element.with_value),
        "negatives_instead": sorted(element.instead),
    }
