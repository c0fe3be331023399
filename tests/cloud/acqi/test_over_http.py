"""Analysts query the indicators over GraphQL with the documents that the contract prints."""

import re
from collections.abc import AsyncIterator

import pytest

from cloud.clinical.acqi.graph import DOCUMENT, DOCUMENT_WITH_SPARKLINE
from cloud.foundation.db import Database
from tests.builders.acqi_world import ARREST, RecordKeeper, score_all
from tests.builders.api_surface import CALLERS, Api, api
from tests.builders.graphql_bundles import GRAPHQL_JSON, code_of, send
from tests.builders.http_surface import caller
from tests.harness.shared import shared_path

RANGE = {"from": "2026-03-24T00:00:00Z", "to": "2026-03-26T00:00:00Z"}


@pytest.fixture
async def here(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setitem(CALLERS, "analyst", caller(scopes=("argus:acqi:read",)))
    async with api(database) as served:
        keeper = RecordKeeper(database)
        await keeper.state(served.home.encounter, ARREST)
        await score_all(database)
        yield served


@pytest.mark.contract("C-129", "C-130", "C-131", "C-132", "C-134", "A-089")
async def test_document_of_the_contract_returns_all_indicators(here: Api) -> None:
    answer = await send(here, DOCUMENT, RANGE, who="analyst")
    assert answer.status_code == 200
    first, *others = answer.json()["data"]["acqiMetrics"]
    assert first == {"name": "rosc_survival", "value": 1.0, "numerator": 1, "denominator": 1, "unit": "1"}
    assert len(others) >= 11
    assert {"name": "syncope_ecg", "value": None, "numerator": 0, "denominator": 0, "unit": "1"} in others


@pytest.mark.contract("C-133", "A-089", "A-093")
async def test_document_with_sparkline_returns_the_trend(here: Api) -> None:
    answer = await send(here, DOCUMENT_WITH_SPARKLINE, RANGE, who="analyst")
    (first, *_) = answer.json()["data"]["acqiMetrics"]
    days = ("2026-03-24T00:00:00.000000Z", "2026-03-25T00:00:00.000000Z")
    assert first["sparkline"] == [{"t": days[0], "v": 1.0}, {"t": days[1], "v": None}]


@pytest.mark.contract("S-118", "A-093", "C-130")
async def test_missing_scope_and_invalid_ranges_are_refused(here: Api) -> None:
    assert code_of(await send(here, DOCUMENT, RANGE, who="north")) == (403, "FORBIDDEN")
    for variables in (
        {**RANGE, "to": "2036-03-24T00:00:00Z"},
        {**RANGE, "to": "2026-03-23T00:00:00Z"},
    ):
        answer = await send(here, DOCUMENT, variables, who="analyst", Accept=GRAPHQL_JSON)
        assert code_of(answer) == (200, "BAD_USER_INPUT")
        assert answer.json()["data"] == {"acqiMetrics": None}
    for moment in ("2026-04-01", "2026-04-01T00:00:00", 7, "24.03.2026"):
        answer = await send(here, DOCUMENT, {**RANGE, "from": moment}, who="analyst")
        assert code_of(answer) == (400, "BAD_USER_INPUT")
        assert str(moment) not in answer.json()["errors"][0]["message"].replace("2026-04-01T00:00:00Z", "")


async def test_other_selection_of_the_published_field_is_refused(here: Api) -> None:
    other = DOCUMENT.replace(" numerator", "")
    assert code_of(await send(here, other, RANGE, who="analyst")) == (200, "OPERATION_NOT_APPROVED")


@pytest.mark.contract("C-131", "C-132", "A-089")
async def test_sample_of_the_contract_replays_literally(here: Api) -> None:
    (printed,) = re.findall(
        r"-d '(\{\s*\"query\": \"query\(.*?\})'", shared_path("contract/seed.txt").read_text(), re.DOTALL
    )
    answer = await here.post("/graphql", printed.encode(), who="analyst")
    assert answer.status_code == 200, answer.text
    metrics = answer.json()["data"]["acqiMetrics"]
    assert {"name", "value"} <= metrics[0].keys()
    assert metrics[0]["name"] == "rosc_survival"
