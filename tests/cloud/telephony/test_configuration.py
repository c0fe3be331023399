"""Operators and apps configure the carriers of a tenant and the routes of its numbers."""

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud.access.audit import Audit
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from cloud.partners.telephony.carriers import CARRIERS
from cloud.partners.telephony.errors import (
    ProviderDisabled,
    ProviderMalformed,
    ProviderUnknown,
    RouteMalformed,
    RouteTaken,
    RouteUnknown,
)
from cloud.partners.telephony.model import Subsystem
from cloud.partners.telephony.service import NewRoute, Telephony
from cloud.partners.telephony.tables import telephony_providers
from tests.builders.auth_world import MASTER
from tests.builders.carrier_stubs import CREDENTIALS
from tests.builders.cloud_people import HandClock, household
from tests.harness.cloud_command import argus_cloud

NORTH, SOUTH = Actor.operator("tnt_north"), Actor.operator("tnt_south")
DID = "+48221234567"


@pytest.fixture
async def desk(database: Database) -> Telephony:
    clock = HandClock()
    await household(database, clock)
    await household(database, clock, name="south")
    return Telephony(database, clock, UlidIds(clock), lambda: MASTER)


def route(provider_id: str, did: str | None = DID, **more: object) -> NewRoute:
    return NewRoute(**{"provider_id": provider_id, "did": did, "subsystem": Subsystem.PSAP, **more})  # type: ignore[arg-type]


@pytest.mark.contract("C-136", "C-138")
async def test_first_provider_is_the_default_until_another_one_is_chosen(desk: Telephony) -> None:
    made = [await desk.add_provider(NORTH, name, name, CREDENTIALS[name]) for name in CARRIERS]
    assert [one.is_default for one in made] == [True, False, False, False, False, False]
    await desk.set_default(NORTH, made[2].id)
    assert {one.id for one in await desk.list_providers(NORTH) if one.is_default} == {made[2].id}
    await desk.set_enabled(NORTH, made[2].id, enabled=False)
    assert not [one for one in await desk.list_providers(NORTH) if one.is_default]
    with pytest.raises(ProviderDisabled):
        await desk.set_default(NORTH, made[2].id)


@pytest.mark.parametrize(
    ("carrier", "change"),
    [
        ("twilio", {"auth_token": "short"}),
        ("twilio", {"auth_token": None}),
        ("twilio", {"api_key": "more"}),
        ("voip_ms", {"api_username": "no address"}),
        ("sip_iax2", {"protocol": "udp"}),
        ("sip_iax2", {"host": "a b"}),
        ("sip_iax2", {"port": "65536"}),
        ("plivo", {"auth_token": "x" * 300}),
    ],
)
async def test_credentials_of_another_form_are_refused_without_their_values_in_the_error(
    desk: Telephony, carrier: str, change: dict[str, str | None]
) -> None:
    given = {**CREDENTIALS[carrier], **change}
    with pytest.raises(ProviderMalformed) as refused:
        await desk.add_provider(NORTH, "x", carrier, {key: value for key, value in given.items() if value is not None})
    assert not [
        value for value in given.values() if value is not None and len(value) > 5 and value in str(refused.value)
    ]


@pytest.mark.contract("C-140", "A-095", "S-027")
async def test_database_has_credentials_only_sealed_and_bound_to_their_provider(
    desk: Telephony, database: Database
) -> None:
    made = await desk.add_provider(NORTH, "Line", "telnyx", CREDENTIALS["telnyx"])
    async with database.read() as tx:
        rows = [tuple(row) for row in await tx.execute(select(telephony_providers))]
        entries = await Audit(HandClock()).list(tx, NORTH)
    assert CREDENTIALS["telnyx"]["api_key"].encode() not in made.credentials_sealed
    assert CREDENTIALS["telnyx"]["api_key"] not in f"{rows}{entries}{made!r}"


@pytest.mark.contract("C-142", "A-096")
async def test_number_resolves_to_the_route_of_the_default_provider_among_enabled_ones(desk: Telephony) -> None:
    first = await desk.add_provider(NORTH, "A", "telnyx", CREDENTIALS["telnyx"])
    second = await desk.add_provider(NORTH, "B", "twilio", CREDENTIALS["twilio"])
    await desk.add_route(NORTH, route(first.id))
    other = await desk.add_route(NORTH, route(second.id, subsystem=Subsystem.DISPATCH))
    assert (await desk.resolve(NORTH, DID))[0].subsystem == "psap"
    await desk.set_enabled(NORTH, first.id, enabled=False)
    assert (await desk.resolve(NORTH, DID))[0].id == other.id
    await desk.update_route(NORTH, other.id, enabled=False)
    for actor in (NORTH, SOUTH):
        with pytest.raises(RouteUnknown):
            await desk.resolve(actor, DID)


@pytest.mark.contract("A-096")
async def test_provider_has_one_active_route_for_a_number_or_subaccount(desk: Telephony) -> None:
    provider = await desk.add_provider(NORTH, "A", "twilio", CREDENTIALS["twilio"])
    for place in ({"did": DID}, {"did": None, "subaccount": "AC-sub"}):
        first = await desk.add_route(NORTH, route(provider.id, **place))
        with pytest.raises(RouteTaken):
            await desk.add_route(NORTH, route(provider.id, **place))
        await desk.update_route(NORTH, first.id, enabled=False)
        await desk.add_route(NORTH, route(provider.id, **place))
        with pytest.raises(RouteTaken):
            await desk.update_route(NORTH, first.id, enabled=True)


@pytest.mark.parametrize(
    ("carrier", "place"),
    [
        ("twilio", {"did": "0048221234567"}),
        ("twilio", {"did": "+0221234567"}),
        ("twilio", {"did": "+48 22 123"}),
        ("twilio", {"did": "+" + "4" * 16}),
        ("twilio", {"did": None}),
        ("twilio", {"did": DID, "subaccount": "x"}),
        ("telnyx", {"did": None, "subaccount": "x"}),
        ("voip_ms", {"did": DID}),
    ],
)
async def test_route_without_exactly_one_usable_number_or_subaccount_is_refused(
    desk: Telephony, carrier: str, place: dict[str, str | None]
) -> None:
    provider = await desk.add_provider(NORTH, "A", carrier, CREDENTIALS[carrier])
    with pytest.raises(RouteMalformed):
        await desk.add_route(NORTH, route(provider.id, **place))


@pytest.mark.contract("A-094")
async def test_provider_and_route_of_another_tenant_do_not_exist(desk: Telephony) -> None:
    provider = await desk.add_provider(NORTH, "A", "twilio", CREDENTIALS["twilio"])
    made = await desk.add_route(NORTH, route(provider.id))
    with pytest.raises(ProviderUnknown):
        await desk.update_provider(SOUTH, provider.id, name="B")
    with pytest.raises(ProviderUnknown):
        await desk.add_route(SOUTH, route(provider.id, "+48220000000"))
    with pytest.raises(RouteUnknown):
        await desk.remove_route(SOUTH, made.id)
    assert (await desk.list_providers(SOUTH), await desk.list_routes(SOUTH)) == ([], [])


@pytest.mark.contract("C-135", "C-136")
def test_operator_configures_a_provider_and_sees_where_a_number_leads(two_tenants: Path, tmp_path: Path) -> None:
    folder = tmp_path / "installation"
    shutil.copytree(two_tenants, folder)
    config, tenant = folder / "cloud.toml", ("--tenant", "tnt_1")
    secret = folder / "credentials.json"
    secret.write_text(json.dumps(CREDENTIALS["sip_iax2"]))
    words = ("telephony", "providers", "add", *tenant, "--name", "PBX", "--carrier", "sip_iax2")
    made = json.loads(argus_cloud(config, *words, "--credentials-file", str(secret), "--json"))
    place = ("--provider", made["id"], "--did", DID, "--to", "psap", "--json")
    argus_cloud(config, "telephony", "routes", "add", *tenant, *place)
    shown = argus_cloud(config, "telephony", "resolve", DID, *tenant)
    assert f"{DID} ({DID} at SIP or IAX2 gateway) leads to psap by tlr_" in shown
    checked = argus_cloud(config, "telephony", "providers", "check", made["id"], *tenant)
    assert f"{made['id']}: not_checked." in checked
    assert "pbx.example" not in argus_cloud(config, "telephony", "providers", "list", *tenant, "--json")
