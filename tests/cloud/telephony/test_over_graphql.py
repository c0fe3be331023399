"""Telephony over GraphQL: only with the on-request bundle, only in the caller's tenant, and never with credentials."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from graphql import GraphQLObjectType

from cloud.foundation.db import Database
from cloud.partners.graphql.schema import schema
from cloud.partners.telephony.cli import DOCUMENTS
from tests.builders.api_surface import CALLERS, Api, api
from tests.builders.carrier_stubs import CREDENTIALS
from tests.builders.graphql_bundles import code_of, grant_documents, send
from tests.builders.http_surface import caller

TEXTS = {one.stem: one.read_text() for one in sorted(DOCUMENTS.glob("*.graphql"))}
TENANT = {"tenantId": "tnt_north"}


@pytest.fixture
async def here(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """The api host with the bundle for the app of `north`, whose tokens may write; those of `reader` may read."""
    monkeypatch.setitem(CALLERS, "north", caller(scopes=("argus:telephony:write",)))
    monkeypatch.setitem(CALLERS, "reader", caller(scopes=("argus:telephony:read",)))
    async with api(database) as served:
        await grant_documents(served, *TEXTS.values())
        yield served


async def request(here: Api, document: str, /, who: str = "north", **variables: Any) -> httpx.Response:
    return await send(here, TEXTS[document], {**TENANT, **variables}, who=who)


async def data(here: Api, document: str, /, **variables: Any) -> Any:
    told = (await request(here, document, **variables)).json()
    assert "errors" not in told, told
    (value,) = told["data"].values()
    return value


def credentials(carrier: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in CREDENTIALS[carrier].items()]


@pytest.mark.contract("C-135", "C-137", "C-138", "C-140", "C-141", "C-142", "A-011", "A-095")
async def test_app_manages_providers_and_routes_and_never_reads_a_credential(here: Api) -> None:
    twilio = {"name": "Line", "carrierType": "TWILIO", "credentials": credentials("twilio")}
    made = await data(here, "create_provider", **twilio)
    assert (made["carrierType"], made["isDefault"], made["isActive"]) == ("TWILIO", True, True)
    place = {"providerId": made["id"], "did": "+48221234567", "targetSubsystem": "municipal"}
    route = await data(here, "create_route", **place)
    await data(here, "update_route", id=route["id"], targetSubsystem="psap")
    await data(here, "update_provider", id=made["id"], name="Main line", credentials=credentials("twilio"))
    await data(here, "set_provider_active", id=made["id"], isActive=False)
    await data(here, "set_provider_active", id=made["id"], isActive=True)
    await data(here, "set_default_provider", id=made["id"])
    (shown,) = await data(here, "providers")
    assert (shown["name"], shown["isDefault"], shown["checkOutcome"]) == ("Main line", True, None)
    (listed,) = await data(here, "routes", providerId=made["id"])
    assert (listed["did"], listed["targetSubsystem"], listed["isActive"]) == ("+48221234567", "psap", True)
    await data(here, "delete_route", id=route["id"])
    assert await data(here, "routes") == []
    fields = schema().type_map["TelephonyProvider"]
    assert isinstance(fields, GraphQLObjectType)
    assert not [name for name in fields.fields if "credential" in name.lower()]


@pytest.mark.contract("C-137", "C-139")
async def test_token_with_the_read_scope_lists_and_changes_nothing(here: Api) -> None:
    assert (await request(here, "providers", "reader")).json() == {"data": {"telephonyProviders": []}}
    refused = await request(here, "create_provider", "reader", name="x", carrierType="TELNYX", credentials=[])
    assert code_of(refused) == (403, "FORBIDDEN")


@pytest.mark.contract("S-065", "A-094")
async def test_other_tenant_and_unknown_tenant_get_the_same_error_and_no_data(here: Api) -> None:
    bodies = []
    for tenant in ("tnt_south", "tnt_unknown"):
        for name in ("providers", "routes"):
            body = (await request(here, name, tenantId=tenant)).json()
            assert (body["data"], body["errors"][0]["extensions"]["code"]) == (None, "NOT_FOUND")
            bodies.append({key: value for key, value in body["errors"][0].items() if key == "message"})
    assert bodies == [bodies[0]] * 4


@pytest.mark.contract("C-143", "A-095", "C-101")
async def test_app_without_the_bundle_cannot_send_a_document_of_telephony(
    here: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    scopes = ("argus:telephony:write",)
    monkeypatch.setitem(CALLERS, "south", caller(tenant="tnt_south", client="app_south", scopes=scopes))
    assert code_of(await request(here, "providers", "south", tenantId="tnt_south")) == (200, "OPERATION_NOT_APPROVED")


async def test_error_about_a_credential_does_not_have_its_value(here: Api) -> None:
    given = [{"name": "account_sid", "value": "AC-wrong-secret"}, {"name": "auth_token", "value": "1" * 32}]
    answer = await request(here, "create_provider", name="x", carrierType="TWILIO", credentials=given)
    (error,) = answer.json()["errors"]
    assert error["extensions"]["problem"] == "telephony_provider_malformed"
    assert "AC-wrong-secret" not in answer.text
