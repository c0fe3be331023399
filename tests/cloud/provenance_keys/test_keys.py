"""Provenance keys are published for ever and sign under both algorithms; records stay verifiable after rotations."""

import base64
from collections.abc import Sequence

import pytest

from cloud.foundation.db import Database
from cloud.foundation.http import Host
from cloud.foundation.master_key import MasterKey, SealBroken
from cloud.work.provenance_keys import ProvenanceKeys, RecordSigner
from cloud.work.provenance_keys.errors import ProvenanceKeyTooFresh, ProvenanceKeyUnknown
from cloud.work.provenance_keys.pqc_adapter import MlDsaSigner
from cloud.work.provenance_keys.provenance_key import SECOND_US, generate
from cloud.work.provenance_keys.routes import routes
from cloud.work.provenance_keys.signer import KEPT_S, SURE_US
from protocols.provenance.signatures import RECORD_CONTEXT, ROOT_CONTEXT, Algorithm, Signer
from tests.builders.auth_world import MASTER, AuthWorld
from tests.builders.cloud_people import NOON_US, HandClock
from tests.builders.parts import BASES, make_parts
from tests.harness.auth_server import ReadResponse, auth_server

PATH = "/.well-known/provenance-keys"
DAY_US = 86_400 * SECOND_US


@pytest.mark.contract("C-241", "C-242", "C-243", "C-244", "C-245", "C-246")
@pytest.mark.contract("C-248", "A-110", "A-126", "A-127", "A-004", "S-166")
async def test_both_addresses_of_the_provenance_keys_return_the_same_bytes_and_no_secret(world: AuthWorld) -> None:
    parts = make_parts(world.database, world.clock, master=MASTER)
    async with auth_server(world, more_rows=routes(parts)) as server:

        async def read(path: str, **headers: str) -> ReadResponse:
            return await server.ask("GET", path, Host.API, headers=headers)

        root, alias = await read(f"{PATH}/ml-dsa-65"), await read(f"/v1{PATH}/ml-dsa-65")
        assert (root.status, root.octets, root.headers["ETag"]) == (200, alias.octets, alias.headers["ETag"])
        assert alias.headers["Link"] == f'<{BASES[Host.API]}{PATH}/ml-dsa-65>; rel="canonical"'
        for response in (root, alias):
            assert response.headers["Cache-Control"] == "public, max-age=300, stale-while-revalidate=600"
            assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert (await read(f"{PATH}/ml-dsa-65", **{"If-None-Match": root.headers["ETag"]})).status == 304
        absent = [await read(f"{PATH}/{word}") for word in ("hmac-sha256", "rsa", "ML-DSA-65", "..%2f")]
        assert {one.status for one in absent} == {404}
        known = {"trace_id", "instance"}
        hmac, other = ({name: one.document[name] for name in one.document.keys() - known} for one in absent[:2])
        assert hmac == other
        assert (await server.ask("GET", f"{PATH}/ml-dsa-65", Host.AUTH)).status == 404
    (current,) = [key for key in root.document["keys"] if key["status"] == "current"]
    assert list(current) == ["kid", "alg", "public_key", "not_before", "not_after", "status"]
    assert (current["kid"], current["alg"]) == ("prov-2026-03-mldsa", "ml-dsa-65")
    assert len(base64.b64decode(current["public_key"], validate=True)) == 1952
    assert b"tnt_" not in root.octets


@pytest.mark.contract("A-127", "C-244")
async def test_rotated_and_withdrawn_provenance_keys_stay_published_with_their_times(database: Database) -> None:
    clock = HandClock()
    keys = ProvenanceKeys(database, clock, lambda: MASTER)
    (first, _) = reversed(await keys.listed())
    with pytest.raises(ProvenanceKeyTooFresh):
        await keys.rotate()
    clock.advance(us=31 * DAY_US)
    second = await keys.rotate()
    assert (first.kid, second.kid) == ("prov-2026-03-mldsa", "prov-2026-03-mldsa-2")
    await keys.withdraw(second.kid)
    with pytest.raises(ProvenanceKeyUnknown):
        await keys.withdraw(second.kid)
    clock.advance(us=10_000 * DAY_US)
    listed = [key.published_form() for key in await keys.listed()]
    assert [(key["kid"], key["status"]) for key in listed] == [
        ("prov-2026-04-mldsa-4", "next"),
        ("prov-2026-04-mldsa-3", "current"),
        ("prov-2026-03-mldsa-2", "withdrawn"),
        ("prov-2026-03-mldsa", "retired"),
    ]
    assert listed[0]["not_before"] is None
    assert listed[2]["not_after"] == listed[1]["not_before"] == "2026-04-24T12:00:00.000000Z"


@pytest.mark.contract("A-116", "A-112", "C-217", "C-218")
async def test_record_signers_sign_under_both_algorithms_and_stay_verifiable_after_rotations(
    database: Database,
) -> None:
    clock, master = HandClock(), [MASTER]
    keys = ProvenanceKeys(database, clock, lambda: master[0])
    signer = RecordSigner(keys, clock, lambda: master[0])

    async def signers() -> Sequence[Signer]:
        async with database.transaction() as tx:
            return await signer.of_tenant(tx, "tnt_1")

    before = await signers()
    signed = [(one.algorithm, one.kid, one.sign(RECORD_CONTEXT, b"record")) for one in before]
    assert [one[0] for one in signed] == [Algorithm.HMAC_SHA256, Algorithm.ML_DSA_65]
    assert isinstance(before[1], MlDsaSigner), "the key of `pqc_adapter`"
    # The master key is rotated, and then the key of the platform.
    master[0] = MasterKey(bytes(32), former=[bytes(range(32))])
    clock.advance(us=DAY_US)
    await keys.rotate()
    after = await signers()
    assert {one.kid for one in before}.isdisjoint(one.kid for one in after)
    verify = await signer.verify_keys("tnt_1")
    for one in (*before, *after):
        key = verify.find(one.algorithm, one.kid)
        assert key is not None
        signature = one.sign(RECORD_CONTEXT, b"record")
        assert key.verify(RECORD_CONTEXT, b"record", signature)
        assert not key.verify(ROOT_CONTEXT, b"record", signature)
    for algorithm, kid, signature in signed:
        found = verify.find(algorithm, kid)
        assert found is not None
        assert found.verify(RECORD_CONTEXT, b"record", signature)
    algorithm, kid, signature = signed[0]
    foreign = (await signer.verify_keys("tnt_2")).find(algorithm, kid)
    assert foreign is not None
    assert not foreign.verify(RECORD_CONTEXT, b"record", signature), "the key of another tenant differs"
    master[0] = MasterKey(bytes(32))
    assert (await signer.verify_keys("tnt_1")).find(Algorithm.HMAC_SHA256, kid) is None


async def test_former_provenance_key_signs_for_a_few_seconds_after_a_rotation_only(database: Database) -> None:
    clock = HandClock()
    keys = ProvenanceKeys(database, clock, lambda: MASTER)
    signer = RecordSigner(keys, clock, lambda: MASTER)

    async def platform_kid() -> str:
        async with database.transaction() as tx:
            return (await signer.of_tenant(tx, "tnt_1"))[1].kid

    first = await platform_kid()
    clock.advance(us=SURE_US)
    assert await platform_kid() == first
    await keys.rotate(at_once=True)
    assert await platform_kid() == first
    clock.advance(us=round(KEPT_S * SECOND_US))
    assert await platform_kid() != first


async def test_first_provenance_key_that_is_rolled_back_signs_no_later_record(database: Database) -> None:
    clock = HandClock()
    keys = ProvenanceKeys(database, clock, lambda: MASTER)
    signer = RecordSigner(keys, clock, lambda: MASTER)

    async def sign_two_records_and_fail() -> None:
        async with database.transaction() as tx:
            for _ in range(2):
                await signer.of_tenant(tx, "tnt_1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await sign_two_records_and_fail()
    async with database.transaction() as tx:
        _, platform = await signer.of_tenant(tx, "tnt_1")
    published = (await signer.verify_keys("tnt_1")).find(platform.algorithm, platform.kid)
    assert published is not None
    assert published.verify(RECORD_CONTEXT, b"record", platform.sign(RECORD_CONTEXT, b"record"))


def test_provenance_key_is_sealed_and_opens_only_with_its_master_key() -> None:
    key = generate(1, MASTER, NOON_US)
    assert len(key.signer(MASTER).sign(RECORD_CONTEXT, b"x")) == 3309
    with pytest.raises(SealBroken):
        key.signer(MasterKey(bytes(32)))
    assert "sealed" not in repr(key)
