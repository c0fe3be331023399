"""The kinds of job are those that the slices declare; a declaration states the payload and the scopes it needs."""

from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
from pydantic import BaseModel, model_validator

from cloud.foundation import slice as slices
from cloud.foundation.errors import DomainError
from cloud.foundation.http import BodyMalformed
from cloud.foundation.slice import Slice
from cloud.work.exports.schemas import ExportData
from cloud.work.graph import kinds
from cloud.work.jobs import always, by_field, job_kinds
from cloud.work.jobs.schemas import JobWanted
from cloud.work.jobs.service import read_wanted
from tests.builders.counting_jobs import KIND, KINDS

GUIDE = Path(__file__).parents[3] / "docs" / "integrator.md"


class DepthTooGreat(DomainError, code="depth_too_great", status=422):
    """The depth is too great."""


class Depth(BaseModel):
    """A payload with a check of its own."""

    depth: int

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.depth < 0:
            raise ValueError("the depth is at least 0")
        if self.depth > 9:
            raise DepthTooGreat
        return self


def test_kind_of_job_is_known_when_its_slice_declares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    declaring = Slice(package="tests.builders", job_kinds="counting_jobs:KINDS")
    monkeypatch.setattr(slices, "_declared", [*slices.declared(), declaring])
    assert job_kinds()[KIND] is KINDS[0]


def test_value_that_the_payload_does_not_admit_is_refused_with_the_error_of_its_validator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kinds, "KINDS", (replace(kinds.KINDS[0], payload=Depth, scopes=always()),))
    with pytest.raises(BodyMalformed, match="the depth is at least 0") as refused:
        read_wanted("graph.compute", {"depth": -1})
    assert [mistake.pointer for mistake in refused.value.mistakes] == ["/payload"]
    with pytest.raises(DepthTooGreat):
        read_wanted("graph.compute", {"depth": 10})


def test_scopes_of_a_field_are_those_of_its_words_and_stated_in_a_text() -> None:
    table: dict[ExportData, tuple[str, ...]] = dict.fromkeys(ExportData, ())
    needed = by_field("data", table | {ExportData.WAVEFORMS: ("argus:b", "argus:a")}, besides=("argus:a",))
    kind = job_kinds()["export.bulk"]
    read = [kind.payload.model_validate({"data": data, "format": "csv"}) for data in ("waveforms", "encounters")]
    assert [needed.of(payload) for payload in read] == [("argus:a", "argus:b"), ("argus:a",)]
    assert needed.text == "`argus:a`; `argus:b`, `argus:a` if `data` is `waveforms`"
    with pytest.raises(AssertionError):
        by_field("data", {ExportData.WAVEFORMS: ()})


def test_scopes_of_each_kind_are_stated_in_the_openapi_document_and_in_the_guide() -> None:
    described = str(JobWanted.model_fields["kind"].description)
    guide = GUIDE.read_text()
    for kind in job_kinds().values():
        assert f"{kind.description}. Needs {kind.scopes.text}." in described
        (row,) = [line for line in guide.splitlines() if line.startswith(f"| `{kind.name}` |")]
        assert row.endswith(f"| {kind.scopes.text} |")
