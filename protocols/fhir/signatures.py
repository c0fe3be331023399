"""Drawn signatures in FHIR: one DocumentReference for each, with the lines of the pen as an SVG picture.

Not a Provenance: it has no identifier in R4, so a bundle that is posted again would create it again. Who signed, for
what and when are observations of the record like its other elements, and `context.related` refers to them.
"""

import base64
from collections.abc import Sequence
from typing import Final

from protocols.fhir.datatypes import Json, coding, concept
from protocols.fhir.systems import ELEMENT

DOCUMENT: Final = "DocumentReference"
_KEY, _DISPLAY = "signatures.picture", "Picture of the signature"
_SVG: Final = "image/svg+xml"


def signature_document(
    path: str, *, name: str, drawn_at: str, void: bool, subject: Json, encounter: Json, related: Sequence[Json]
) -> Json:
    """Return the resource of a drawn signature without its identifiers. `path`: its lines, as an SVG path in a field of
    600 by 200 points. `name`: that of the signer, empty if the record has none. `drawn_at`: a dateTime."""
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 200">'
        f'<path d="{path}" fill="none" stroke="#000000" stroke-width="3"/></svg>'
    ).encode()
    return {
        "resourceType": DOCUMENT,
        "status": "entered-in-error" if void else "current",
        "type": concept(coding(ELEMENT, _KEY, _DISPLAY)),
        "subject": subject,
        "author": [{"display": name}] if name else None,
        "content": [
            {
                "attachment": {
                    "contentType": _SVG,
                    "data": base64.b64encode(picture).decode("ascii"),
                    "size": len(picture),
                    "creation": drawn_at,
                }
            }
        ],
        "context": {"encounter": [encounter], **({"related": list(related)} if related else {})},
    }
