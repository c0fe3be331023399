"""The state of the signature of a report follows from the seals of its logs."""

import pytest

from protocols.epcr.annotations import Annotation
from protocols.epcr.change import DISPATCH_AUTHOR, FieldChange
from protocols.epcr.seal import GATEWAY_AUTHOR, chain_end, seal_value
from protocols.epcr.signing import UNSIGNED, ReportSigning, signing_of
from tests.builders.care_changes import change

CALL, REPORT = "enc_call", "enc_report"
ENTRY = change("patient.age", "50", encounter=REPORT)
OF_DISPATCH = change("scene.street", "Ring 3", encounter=CALL, author=DISPATCH_AUTHOR)
JOINED = change(Annotation.JOINED, REPORT, encounter=CALL)
REASON = change(Annotation.ADDENDUM, "late result", entry="a1", encounter=REPORT)
LATER = change("patient.age", "51", encounter=REPORT)


def sealed(*log: FieldChange, covers: int | None = None) -> list[FieldChange]:
    encounter, count = log[0].encounter, len(log) if covers is None else covers
    value = seal_value(encounter, count, chain_end(encounter, log), lambda _: bytes(64))
    return [*log, change(Annotation.SEAL, value, encounter=encounter, author=GATEWAY_AUTHOR)]


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ([], UNSIGNED),
        ([[ENTRY]], UNSIGNED),
        ([sealed(ENTRY)], ReportSigning(signed=True)),
        ([sealed(ENTRY), [OF_DISPATCH, JOINED]], ReportSigning(signed=True)),
        ([sealed(ENTRY), [OF_DISPATCH, JOINED, change("patient.age", "50", encounter=CALL)]], UNSIGNED),
        ([sealed(OF_DISPATCH)], UNSIGNED),
        ([sealed(ENTRY, covers=2)], ReportSigning(signed=True, partial=True)),
        ([sealed(*sealed(ENTRY), REASON, LATER)], ReportSigning(signed=True, addenda=("late result",))),
        ([[*sealed(ENTRY), *sealed(ENTRY)[:1]]], ReportSigning(signed=True)),
    ],
    ids=[
        *("no log", "no seal", "seal", "call without entries", "call with entries", "nothing of the crew"),
        *("part", "addendum", "repeated"),
    ],
)
def test_signing_of_a_report(logs: list[list[FieldChange]], expected: ReportSigning):
    assert signing_of(logs) == expected
