"""Operators register operation bundles and grant them to apps."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from cloud.access.apps import Apps, AppUnknown
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from cloud.partners.graphql.errors import BundleInUse, BundleMalformed, BundleUnknown
from cloud.partners.graphql.store import BundleStore, Grant
from tests.builders.api_surface import Api
from tests.builders.cloud_settings import settings_file
from tests.builders.graphql_bundles import ENCOUNTER, bundles, code_of, send
from tests.harness.cloud_command import argus_cloud

MINE = {"id": "enc_north"}
OPERATOR = Actor.operator("tnt_north")
CARE_MODEL = "query Care($id: ID!) { encounter(id: $id) { careModel } }"


@pytest.mark.contract("C-101", "A-092")
async def test_document_that_cannot_be_executed_is_not_registered(here: Api) -> None:
    for text in (
        "{ __schema { types { name } } }",
        '{ __type(name: "Query") { name } }',
        "{ unknownField }",
        "query A { __typename } query B { __typename }",
        "fragment F on Query { __typename }",
        "subscription { a }",
        "{" + " ".join(f"a{n}: __typename" for n in range(31)) + "}",
        "{ broken",
    ):
        with pytest.raises(BundleMalformed, match="Document 1"):
            await bundles(here).register("other", 1, [text])


async def test_bundle_with_a_malformed_name_version_or_size_is_refused(here: Api) -> None:
    for name, version, count in (("Bad Name", 1, 1), ("a", 0, 1), ("a", 1, 0), ("a", 1, 101)):
        with pytest.raises(BundleMalformed):
            await bundles(here).register(name, version, ["{ __typename }"] * count)


async def test_registered_version_never_changes(here: Api) -> None:
    desk = bundles(here)
    again = await desk.register("dispatch", 1, [f"# the same\n{ENCOUNTER}", "{ __typename }"])
    assert len(again) == 2
    with pytest.raises(BundleMalformed, match="new version"):
        await desk.register("dispatch", 1, [CARE_MODEL])
    with pytest.raises(BundleMalformed, match="equal"):
        await desk.register("dispatch", 2, [CARE_MODEL, f"{CARE_MODEL} # again"])


async def test_app_uses_two_versions_until_one_is_revoked(here: Api) -> None:
    desk = bundles(here)
    await desk.register("dispatch", 2, [CARE_MODEL])
    assert code_of(await send(here, CARE_MODEL, MINE)) == (200, "OPERATION_NOT_APPROVED")
    for _ in range(2):
        await desk.grant(OPERATOR, "app_north", "dispatch", 2)
    assert (await send(here, CARE_MODEL, MINE)).status_code == 200
    assert (await send(here, ENCOUNTER, MINE)).status_code == 200
    with pytest.raises(BundleInUse):
        await desk.remove("dispatch", 1)
    await desk.revoke(OPERATOR, "app_north", "dispatch", 1)
    assert code_of(await send(here, ENCOUNTER, MINE)) == (200, "OPERATION_NOT_APPROVED")
    await desk.remove("dispatch", 1)
    assert [(one.name, one.version, one.documents, one.apps) for one in await desk.list()] == [("dispatch", 2, 1, 1)]


async def test_grant_needs_an_app_of_the_tenant_and_a_version(here: Api) -> None:
    desk = bundles(here)
    with pytest.raises(AppUnknown):
        await desk.grant(Actor.operator("tnt_south"), "app_north", "dispatch", 1)
    with pytest.raises(AppUnknown):
        await desk.revoke(Actor.operator("tnt_south"), "app_north", "dispatch", 1)
    with pytest.raises(BundleUnknown):
        await desk.grant(OPERATOR, "app_north", "dispatch", 9)
    with pytest.raises(BundleUnknown):
        await desk.show("other", 1)


async def test_version_of_a_deleted_app_is_revoked_and_removed(here: Api) -> None:
    desk = bundles(here)
    await Apps(here.database, here.clock, UlidIds(here.clock)).remove(OPERATOR, "app_north")
    with pytest.raises(AppUnknown):
        await desk.revoke(Actor.operator("tnt_south"), "app_north", "dispatch", 1)
    with pytest.raises(BundleInUse):
        await desk.remove("dispatch", 1)
    await desk.revoke(OPERATOR, "app_north", "dispatch", 1)
    await desk.remove("dispatch", 1)
    assert await desk.list() == []


async def test_version_that_is_granted_at_the_same_moment_is_not_removed(here: Api) -> None:
    desk, store = bundles(here), BundleStore()
    await desk.revoke(OPERATOR, "app_north", "dispatch", 1)
    async with here.database.transaction() as tx:
        await store.documents(tx, "dispatch", 1, lock=True)  # as `grant` does
        removing = asyncio.create_task(desk.remove("dispatch", 1))
        assert await asyncio.wait({removing}, timeout=0.05) == (set(), {removing})
        await store.grant(
            tx, Grant(client_id="app_north", bundle="dispatch", version=1, tenant_id="tnt_north", granted_at_us=0)
        )
    with pytest.raises(BundleInUse):
        await removing


async def test_version_that_is_removed_at_the_same_moment_is_not_granted(here: Api) -> None:
    desk, store = bundles(here), BundleStore()
    await desk.revoke(OPERATOR, "app_north", "dispatch", 1)
    async with here.database.transaction() as tx:
        await store.documents(tx, "dispatch", 1, lock=True)  # as `remove` does
        granting = asyncio.create_task(desk.grant(OPERATOR, "app_north", "dispatch", 1))
        assert await asyncio.wait({granting}, timeout=0.05) == (set(), {granting})
        await store.remove(tx, "dispatch", 1)
    with pytest.raises(BundleUnknown):
        await granting


def test_console_registers_grants_and_shows_a_bundle(two_tenants: Path, tmp_path: Path) -> None:
    folder = tmp_path / "installation"
    shutil.copytree(two_tenants, folder)  # which other tests need as it is
    config = settings_file(folder)
    (tmp_path / "encounter.graphql").write_text(ENCOUNTER)
    whose = ["--tenant", "tnt_1"]
    argus_cloud(config, "apps", "add", *whose, "--name", "CAD", "--id", "app_cad", "--scope", "argus:epcr:read")
    added = json.loads(
        argus_cloud(config, "bundles", "add", "cad", "--version", "1", str(tmp_path / "encounter.graphql"), "--json")
    )
    argus_cloud(config, "bundles", "grant", "app_cad", "cad", "--version", "1", *whose)
    shown = json.loads(argus_cloud(config, "bundles", "show", "cad", "--version", "1", "--json"))
    assert shown["apps"] == [{"tenant_id": "tnt_1", "client_id": "app_cad"}]
    assert [one["document_id"] for one in shown["documents"]] == [one["document_id"] for one in added]
    assert "app_cad" in argus_cloud(config, "bundles", "show", "cad", "--version", "1")
    argus_cloud(config, "bundles", "revoke", "app_cad", "cad", "--version", "1", *whose)
    argus_cloud(config, "bundles", "remove", "cad", "--version", "1")
    assert json.loads(argus_cloud(config, "bundles", "list", "--json")) == []
