"""Integrators read the waveforms of an encounter over HTTP: pages of samples, envelopes, and refusals."""

from collections.abc import AsyncIterator

import pytest

from cloud.foundation.db import Database
from tests.builders.api_surface import Api, alike, api

ENCOUNTERS = "/api/v1/epcr/encounters"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        yield served


async def test_encounter_without_waveforms_has_an_empty_page(here: Api) -> None:
    for form in ("", "?points=1000", "?limit=1&since=2026-03-24T12:00:00Z"):
        page = await here.get(f"{ENCOUNTERS}/enc_north/waveforms{form}", who="reader")
        assert (page.status_code, page.json()) == (200, [])
        assert "next" not in page.links
        again = await here.get(f"{ENCOUNTERS}/enc_north/waveforms{form}", If_None_Match=page.headers["ETag"])
        assert again.status_code == 304


async def test_invalid_parameters_are_refused(here: Api) -> None:
    for query in ("points=0", "points=4001", "limit=0", "interval_s=1", "format=ndjson", "since=now"):
        refused = await here.get(f"{ENCOUNTERS}/enc_north/waveforms?{query}")
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_query"), query


@pytest.mark.contract("S-060", "S-066", "A-006")
async def test_encounter_of_another_organisation_or_tenant_gets_the_response_of_an_absent_one(here: Api) -> None:
    for form in ("", "?points=10"):
        absent = await here.get(f"{ENCOUNTERS}/enc_absent/waveforms{form}")
        assert (absent.status_code, absent.json()["code"]) == (404, "encounter_unknown")
        for who in ("elsewhere", "south"):
            assert alike(await here.get(f"{ENCOUNTERS}/enc_north/waveforms{form}", who=who), absent)
