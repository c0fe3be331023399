"""JSON text, read strictly: as UTF-8, and without an object that has a member twice, since two readers would see two
documents."""

import json
from collections.abc import Mapping
from typing import Any, Final

from argus_sdk.errors import EvidenceUnusable

SUBJECTS: Final[Mapping[str, str]] = {
    "transcript_malformed": "This is not a transcript of evidence",
    "keys_malformed": "This is not a document of published keys",
}
"""Code of an error → the beginning of its sentence."""


def unusable(code: str, reason: str) -> EvidenceUnusable:
    """Return the error for a document. `reason` is a sentence to follow a colon, with its subject."""
    return EvidenceUnusable(code, f"{SUBJECTS[code]}: {reason}.")


def read_text(text: bytes | str, code: str) -> str:
    """Return JSON text in UTF-8 as text, without a byte order mark. Raises `EvidenceUnusable` with this code."""
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise unusable(code, "it is not text in UTF-8") from None


def read_value(text: bytes | str, code: str) -> Any:
    """Return the value of JSON text. Raises `EvidenceUnusable` with this code."""
    try:
        return json.loads(read_text(text, code), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise unusable(code, "its objects or lists are inside each other too deeply") from None
    except ValueError as error:
        raise unusable(code, f"it is not JSON ({error})") from None


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("an object has a member twice")
    return found


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")
