"""Integrators read and enrich profiles over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from cloud.access.audit import Audit
from cloud.clinical.profiles.connectors import CONNECTORS
from cloud.clinical.profiles.schemas import ProfileEnrichment, ProfileShown
from cloud.clinical.profiles.service import Profiles
from cloud.clinical.screening.search import WALLET_HITS_MAX
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from protocols.sanctions.entry import ListedWallet, WalletLabel
from tests.builders.api_surface import Api, alike, api
from tests.builders.sanctions_lists import listed, ofac_xml, wallet_labels_csv
from tests.builders.screening import Office

PERSON = {"reference": "CRM-1", "kind": "person", "names": ["Exemplo Testovich"], "birth_date": "1948"}
FIRM = {"reference": "CRM-2", "kind": "organization", "names": ["Invented Trading Ltd"]}
ADDRESS = "0xABCDEF0000000000000000000000000000000001"
WALLET = {"reference": "CRM-3", "kind": "wallet", "asset": "ETH", "address": ADDRESS}


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        yield served


def office_of(here: Api) -> Office:
    return Office(here.database, here.clock, here.home.operator)


async def store(here: Api, profile: dict[str, Any]) -> str:
    """Import a profile; return the path of its route."""
    service = Profiles(here.database, here.clock, UlidIds(here.clock))
    done = await service.import_profiles(here.home.operator, here.home.organization.id, [orjson.dumps(profile)])
    assert (done.stored, done.problems) == (1, [])
    (newest, *_) = await service.list(here.home.operator, count=1)
    return f"/v1/profiles/{newest.id}"


@pytest.mark.contract("A-053", "C-272")
async def test_enriched_person_has_the_sanctions_hit_with_its_explanation(here: Api) -> None:
    await office_of(here).take(ofac_xml([listed("SYN-1", "Examplo Testovich", birth_dates=["1948-12-10"])]))
    path = await store(here, PERSON)
    before = (await here.get(path)).json()
    assert (before["names"], before["enrichment"]) == (["Exemplo Testovich"], None)
    enriched = await here.post(f"{path}/enrich", {})
    assert enriched.status_code == 200, enriched.text
    document = ProfileEnrichment.model_validate(enriched.json())
    assert (document.risk.level, document.profile_id) == ("high", before["id"])
    (sanctions,) = document.connectors
    assert (sanctions.connector, sanctions.status) == ("sanctions", "completed")
    assert [one["name"] for one in sanctions.sources] == ["ofac-sdn"]
    (hit,) = sanctions.hits
    assert (hit["reference"], hit["programmes"], hit["score"]) == ("SYN-1", ["SYNTH"], 0.956)
    assert hit["explanation"]["text"].startswith("Compared with the primary name Examplo Testovich: ")
    after = await here.get(path)
    assert ProfileShown.model_validate(after.json()).enrichment == document
    assert after.headers["ETag"]


@pytest.mark.contract("A-053")
async def test_risk_is_unknown_without_a_list_and_low_without_a_hit(here: Api) -> None:
    path = await store(here, FIRM)
    unknown = (await here.post(f"{path}/enrich", {})).json()
    assert unknown["risk"] == {"level": "unknown", "score": None}
    assert [one["status"] for one in unknown["connectors"]] == ["no_data"]
    await office_of(here).take(ofac_xml([listed("SYN-1", "Examplo Testovich")]))
    low = (await here.post(f"{path}/enrich", {})).json()
    assert low["risk"] == {"level": "low", "score": 0}
    assert [one["status"] for one in low["connectors"]] == ["completed"]


@pytest.mark.contract("A-053")
async def test_wallet_is_compared_with_sanctions_lists_and_labels(here: Api) -> None:
    office = office_of(here)
    other_case = ListedWallet("USDT", ADDRESS.lower())
    await office.take(ofac_xml([listed("SYN-7", "Walleto Testovich", wallets=[other_case])]))
    label = WalletLabel(
        line=2,
        wallet=ListedWallet("ETH", ADDRESS),
        category="mixer",
        label="Invented mixer",
        source="Synthetic",
        labelled_on=None,
    )
    await office.take(wallet_labels_csv([label]), "wallet-labels-csv")
    enriched = (await here.post(f"{await store(here, WALLET)}/enrich", {})).json()
    assert enriched["risk"] == {"level": "high", "score": 100}
    scores = {one["connector"]: (one["risk_score"], len(one["hits"])) for one in enriched["connectors"]}
    assert scores == {"sanctions": (100, 1), "wallet_risk": (85, 1)}
    texts = [one["hits"][0]["explanation"]["text"] for one in enriched["connectors"]]
    assert texts == [
        "The address is in the list ofac-sdn with another case of letters, which has no meaning. The list has it for "
        "Walleto Testovich.",
        "The address is in the list wallet-labels exactly. The list states that Invented mixer holds it.",
    ]


@pytest.mark.contract("A-053")
async def test_sanctioned_wallet_is_found_behind_any_number_of_labels(here: Api) -> None:
    office = office_of(here)
    labels = [
        WalletLabel(
            line=2 + number,
            wallet=ListedWallet("ETH", ADDRESS),
            category="exchange",
            label=f"Invented exchange {number}",
            source="Synthetic",
            labelled_on=None,
        )
        for number in range(WALLET_HITS_MAX + 1)
    ]
    await office.take(wallet_labels_csv(labels), "wallet-labels-csv")
    await office.take(ofac_xml([listed("SYN-7", "Walleto Testovich", wallets=[ListedWallet("ETH", ADDRESS)])]))
    enriched = (await here.post(f"{await store(here, WALLET)}/enrich", {})).json()
    results = {one["connector"]: (one["status"], one["risk_score"], len(one["hits"])) for one in enriched["connectors"]}
    assert results == {"sanctions": ("completed", 100, 1), "wallet_risk": ("incomplete", 10, WALLET_HITS_MAX)}


async def test_connector_that_is_not_for_the_kind_is_refused(here: Api) -> None:
    path = await store(here, PERSON)
    refused = await here.post(f"{path}/enrich", {"connectors": ["sanctions", "wallet_risk"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "connector_not_for_kind")
    assert refused.json()["errors"][0]["pointer"] == "/connectors/1"
    unknown = await here.post(f"{path}/enrich", {"connectors": ["horoscope"]})
    assert unknown.status_code == 400
    chosen = await here.post(f"{path}/enrich", {"connectors": ["sanctions"]})
    assert [one["connector"] for one in chosen.json()["connectors"]] == ["sanctions"]


@pytest.mark.contract("C-158", "C-159")
async def test_repeated_enrichment_with_a_key_is_made_once(here: Api) -> None:
    path = await store(here, PERSON)
    first, again = [await here.ask("POST", f"{path}/enrich", Idempotency_Key="k-1") for _ in range(2)]
    assert (first.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await here.ask("POST", f"{path}/enrich", Idempotency_Key="k-2")
    assert other.json()["id"] != first.json()["id"]
    async with here.database.read() as tx:
        trail = await Audit(here.clock).list(tx, here.home.operator, action="profile.enrich")
    assert [one.metadata["enrichment_id"] for one in trail] == [other.json()["id"], first.json()["id"]]


async def test_stored_reply_of_a_removed_profile_is_not_replayed(here: Api) -> None:
    path = await store(here, PERSON)
    assert (await here.ask("POST", f"{path}/enrich", Idempotency_Key="k-1")).status_code == 200
    await Profiles(here.database, here.clock, UlidIds(here.clock)).remove(here.home.operator, path.rpartition("/")[2])
    repeated = await here.ask("POST", f"{path}/enrich", Idempotency_Key="k-1")
    assert (repeated.status_code, repeated.json()["code"]) == (404, "profile_unknown")


@pytest.mark.contract("S-060", "A-006")
async def test_profile_of_another_organisation_or_tenant_gets_the_response_of_an_absent_one(here: Api) -> None:
    path = await store(here, PERSON)
    for method, at in (("GET", path), ("POST", f"{path}/enrich")):
        absent = await here.ask(method, at.replace(path, "/v1/profiles/prf_absent"))
        assert (absent.status_code, absent.json()["code"]) == (404, "profile_unknown")
        for who in ("elsewhere", "south"):
            assert alike(await here.ask(method, at, who=who), absent)


async def test_scopes_of_profiles_are_required(here: Api) -> None:
    path = await store(here, PERSON)
    assert (await here.get(path, who="reader")).status_code == 200
    assert (await here.post(f"{path}/enrich", {}, who="reader")).status_code == 403
    assert (await here.get(path, who="stranger")).status_code == 403
    assert (await here.get(path, who="nowhere")).status_code == 403


def test_names_of_connectors_in_requests_are_those_of_the_table() -> None:
    schema = ProfileEnrichment.model_json_schema()
    assert schema["$defs"]["ConnectorResult"]["properties"]["connector"]["enum"] == list(CONNECTORS)
