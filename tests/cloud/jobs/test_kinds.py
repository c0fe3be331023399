"""The kinds of job are those that the slices declare."""

import pytest

from cloud.foundation import slice as slices
from cloud.foundation.slice import Slice
from cloud.work.jobs import job_kinds
from tests.builders.counting_jobs import KIND, KINDS


def test_kind_of_job_is_known_when_its_slice_declares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    declaring = Slice(package="tests.builders", job_kinds="counting_jobs:KINDS")
    monkeypatch.setattr(slices, "_declared", [*slices.declared(), declaring])
    assert job_kinds()[KIND] is KINDS[0]
