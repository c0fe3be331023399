"""A signing key is published before its first use and until its last token expires; its private part is never shown."""

import asyncio
import base64
import json

import pytest
from joserfc.jwk import KeySet
from jwt import decode, get_unverified_header

from cloud.access.tokens import SigningKeys
from cloud.access.tokens.errors import KeyTooFresh, KeyUnknown
from cloud.access.tokens.jws import header_segment
from cloud.access.tokens.signing_key import (
    MAX_AGE_S,
    MODULUS_BITS,
    PUBLISHED_LEAST_US,
    SECOND_US,
    generate,
    jwk,
)
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Host
from cloud.foundation.master_key import MasterKey, SealBroken
from cloud.foundation.signing_keys import KeyState
from tests.builders.auth_world import API, ISSUER, MASTER, SEALED_FOR, AuthWorld, kept_key, key_pair
from tests.builders.cloud_people import NOON_US
from tests.harness.auth_server import auth_server

WELL_KNOWN, VERSIONED = "/.well-known/jwks.json", "/v1/auth/jwks.json"


async def states(world: AuthWorld) -> list[KeyState]:
    return [key.state for key in await world.keys.list()]


@pytest.mark.contract("C-066", "C-067", "C-068", "C-069", "C-070", "C-072", "C-073", "S-054", "A-040", "A-041", "A-004")
async def test_both_urls_of_the_jwks_document_return_the_same_bytes(world: AuthWorld) -> None:
    async with auth_server(world) as server:
        answers = [await server.ask("GET", path) for path in (WELL_KNOWN, VERSIONED)]
        first, second = answers
        assert (first.status, first.octets, first.headers["ETag"]) == (200, second.octets, second.headers["ETag"])
        for answer in answers:
            assert answer.headers["Cache-Control"] == "public, max-age=300, stale-while-revalidate=600"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        unchanged = await server.ask("GET", VERSIONED, headers={"If-None-Match": first.headers["ETag"]})
        assert (unchanged.status, unchanged.octets) == (304, b"")
        assert (await server.ask("GET", WELL_KNOWN, Host.API)).status == 404
    keys = first.document["keys"]
    assert len(keys) == 2
    for key in keys:
        assert list(key) == ["kty", "kid", "use", "alg", "n", "e"]
        assert (key["kty"], key["use"], key["alg"], key["e"]) == ("RSA", "sig", "RS256", "AQAB")
        assert len(base64.urlsafe_b64decode(key["n"] + "==")) * 8 == MODULUS_BITS
    for private in (b'"d"', b'"p"', b'"q"', b'"k"', b'"dp"', b'"dq"', b'"qi"', b'"oth"'):
        assert private not in first.octets
    assert len(KeySet.import_key_set(first.document).keys) == 2


@pytest.mark.contract("S-055", "C-072", "A-040")
async def test_token_minted_after_a_rotation_names_a_key_of_a_key_set_cached_before_the_rotation(
    world: AuthWorld,
) -> None:
    cached_until_us, cached = 0, set[str]()
    for minute in range(0, 60, 4):
        if minute in (16, 32, 48):
            await world.keys.rotate()
        now_us = world.clock.now_us()
        process = world.another_process()
        await process.start()
        if now_us >= cached_until_us:
            cached = {key.kid for key in process.auth_state.published_keys()}
            cached_until_us = now_us + MAX_AGE_S * SECOND_US
        token = (await process.mint.access_token(world.app)).token
        header = token.partition(".")[0]
        assert json.loads(base64.urlsafe_b64decode(header + "=="))["kid"] in cached
        world.pass_time(minutes=4)


@pytest.mark.contract("S-050", "C-072", "A-040")
async def test_retired_key_is_removed_from_the_key_set_when_its_last_token_has_expired(world: AuthWorld) -> None:
    service = await world.surface.mint.service_token(world.home.operator, world.app, ttl_s=2 * 86400)
    world.pass_time(minutes=16)
    old, current = (await world.keys.list())[0], await world.keys.rotate()
    assert await states(world) == [KeyState.RETIRED, KeyState.CURRENT, KeyState.NEXT]
    await world.surface.auth_state.refresh()
    world.pass_time(minutes=47 * 60)
    later = world.another_process()
    await later.start()
    assert old.kid in {key.kid for key in later.auth_state.published_keys()}
    assert (await later.verifier.verify(service.token, Host.API)).token_use == "service"
    world.pass_time(minutes=3 * 60)
    later = world.another_process()
    await later.start()
    assert [key.kid for key in later.auth_state.published_keys()][-1] == current.kid
    # A process that has cached the key drops it too, without a change in the database.
    assert old.kid not in {key.kid for key in world.surface.auth_state.published_keys()}


@pytest.mark.contract("A-040")
async def test_rotation_to_a_key_published_within_the_cache_time_requires_the_at_once_option(
    world_on_either: AuthWorld,
) -> None:
    world = world_on_either
    with pytest.raises(KeyTooFresh, match=r"2026-03-24T12:15:00"):
        await world.keys.rotate()
    assert await states(world) == [KeyState.CURRENT, KeyState.NEXT]
    assert PUBLISHED_LEAST_US >= MAX_AGE_S * SECOND_US
    current = await world.keys.rotate(at_once=True)
    assert current.kid == key_pair(2).kid
    world.pass_time(minutes=15)
    assert (await world.keys.rotate()).kid == key_pair(3).kid


async def test_withdrawal_of_a_key_leaves_a_current_and_a_next_key(world: AuthWorld) -> None:
    first, second = [key.kid for key in await world.keys.list()]
    await world.keys.withdraw(second)
    assert await states(world) == [KeyState.RETIRED, KeyState.WITHDRAWN, KeyState.CURRENT, KeyState.NEXT]
    await world.keys.withdraw(first)
    with pytest.raises(KeyUnknown):
        await world.keys.withdraw(first)
    with pytest.raises(KeyUnknown):
        await world.keys.withdraw("2026-03-signing-key")
    process = world.another_process()
    await process.start()
    assert {key.kid for key in process.auth_state.published_keys()} == {key_pair(3).kid, key_pair(4).kid}


async def test_processes_started_concurrently_create_only_one_current_and_one_next_key(
    world_on_either: AuthWorld,
) -> None:
    world = world_on_either
    desks = [SigningKeys(world.database, world.clock, lambda: MASTER, make=kept_key) for _ in range(3)]
    await asyncio.gather(*(desk.ensure() for desk in desks))
    assert await states(world) == [KeyState.CURRENT, KeyState.NEXT]


def test_encrypted_private_key_is_decrypted_only_with_its_key_id_and_master_key() -> None:
    key = generate(9, MASTER, NOON_US)
    assert key.kid.startswith("2026-03-signing-key-")
    private = key.private(MASTER)
    assert private.key_size == MODULUS_BITS
    assert private.private_numbers().d.to_bytes(MODULUS_BITS // 8, "big") not in key.private_key_sealed
    with pytest.raises(SealBroken):
        key.private(MasterKey(bytes(32)))
    with pytest.raises(SealBroken):
        MASTER.open(SEALED_FOR, "another-kid", key.private_key_sealed)
    with pytest.raises(SealBroken):
        MASTER.open(SEALED_FOR, key.kid, key.private_key_sealed[:-1])
    assert "sealed" not in repr(key)
    assert set(jwk(key)) == {"kty", "kid", "use", "alg", "n", "e"}


@pytest.mark.finding("security-13")
async def test_key_rotation_is_refused_while_sixteen_keys_are_published(world: AuthWorld) -> None:
    made, refused = [], list[DomainError]()
    for _ in range(40):
        await world.surface.mint.service_token(
            world.home.operator, world.app, ttl_s=90 * 86400
        )  # keeps its key published for 90 days
        world.pass_time(minutes=16)
        try:
            made.append(await world.keys.rotate())
        except DomainError as error:
            refused.append(error)
        await world.surface.auth_state.refresh()
    published = [key for key in await world.keys.list() if key.is_published(world.clock.now_us())]
    assert len(published) == 16
    assert {error.code for error in refused} == {"too_many_signing_keys"}
    assert "2026-06-22" in refused[0].sentence, "it says when the next key leaves the set"
    stolen = made[-1]
    await world.keys.withdraw(stolen.kid)  # works with a full set too
    published = [key for key in await world.keys.list() if key.is_published(world.clock.now_us())]
    assert len(published) == 16
    assert stolen.kid not in {key.kid for key in published}
    world.pass_time(minutes=91 * 24 * 60)
    assert (await world.keys.rotate()).state is KeyState.CURRENT


async def test_header_of_a_minted_token_is_exactly_the_header_that_verification_accepts(world: AuthWorld) -> None:
    token = await world.token()
    assert token.partition(".")[0].encode() == header_segment(key_pair(1).kid)
    assert get_unverified_header(token) == {"alg": "RS256", "kid": key_pair(1).kid, "typ": "at+jwt"}
    claims = decode(token, key_pair(1).public(), ["RS256"], audience=API, issuer=ISSUER, options={"verify_exp": False})
    assert claims["client_id"] == world.app.client_id
