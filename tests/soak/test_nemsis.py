"""Exported records pass the published schema and rules of NEMSIS, and the rules give their published results here.

With `ARGUS_SOAK=1` there are 50 generated records and all published cases, otherwise 5 and every sixteenth case.
"""

import os
import tarfile
from collections import Counter

import pytest

from protocols.nemsis.export import export_record
from tests.builders.nemsis_judges import RULE_CASES, findings_of, rule_findings, schema_faults
from tests.builders.nemsis_records import SUPPLIED, RecordGenerator
from tests.harness.shared import shared_path

FULL = os.environ.get("ARGUS_SOAK") == "1"
SEED = int(os.environ.get("ARGUS_SEED", "1"))
RECORDS = 50 if FULL else 5
CASES_EVERY = 1 if FULL else 16


@pytest.mark.parametrize("number", range(RECORDS))
def test_generated_record_meets_the_schema_and_breaks_no_rule_that_is_an_error(number: int):
    share = (number % 5 + 1) / 5  # from sparse to full records
    result = export_record(RecordGenerator(SEED + number, share).record(), SUPPLIED)
    assert result.problems == ()
    assert schema_faults(result.document) == []
    findings = rule_findings(result.document)
    warnings = Counter(each.rule for each in findings if not each.is_error)
    print(f"record {number}: {len(result.document)} bytes, warnings {dict(sorted(warnings.items()))}")
    assert [each.rule for each in findings if each.is_error] == []


def test_published_cases_give_the_published_result():
    with tarfile.open(shared_path(RULE_CASES)) as archive:
        names = sorted(name for name in archive.getnames() if name.startswith("xml/") and name.endswith(".xml"))
        assert len(names) == 198
        results: Counter[str] = Counter()
        for name in names[::CASES_EVERY]:
            document, expected = (archive.extractfile(each) for each in (name, name.replace("xml/", "svrl/", 1)))
            assert document is not None
            assert expected is not None
            findings = rule_findings(document.read())
            assert findings == findings_of(expected.read().decode("utf-8-sig")), name
            worst = "error" if any(each.is_error for each in findings) else "warning" if findings else "pass"
            results[worst] += 1
    print(f"published cases: {dict(results)}")
    if FULL:
        assert results == {"pass": 10, "warning": 172, "error": 16}
