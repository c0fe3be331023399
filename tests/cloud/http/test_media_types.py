"""The Accept header decides between two media types by weight and specificity; a malformed part is ignored."""

import pytest

from cloud.foundation.http.media_types import RANGES_MAX, prefers

FHIR, JSON = "application/fhir+json", "application/json"


@pytest.mark.contract("A-099")
@pytest.mark.parametrize(
    ("accepts", "expected"),
    [
        ([], False),
        ([FHIR], True),
        (["APPLICATION/FHIR+JSON; fhirVersion=4.0"], True),
        (["*/*"], False),
        (["application/*"], False),
        ([f"{JSON}, {FHIR}"], False),
        ([f"{JSON};q=0.5, {FHIR}"], True),
        ([JSON, f"{FHIR};q=0.9"], False),
        ([f"{FHIR};q=0"], False),
        ([f"*/*;q=0.1, {FHIR};q=0.2"], True),
        ([f"{FHIR};q=two, {JSON};q=0.1"], False),
        ([f"{FHIR};q=7"], False),
        (["text/html"], False),
        ([",;,=", FHIR], True),
        ([",".join(["text/html"] * RANGES_MAX), FHIR], False),
    ],
)
def test_accept_header_prefers_a_media_type(accepts: list[str], expected: bool) -> None:
    assert prefers(accepts, FHIR, JSON) is expected
