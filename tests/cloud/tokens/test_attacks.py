"""Every known attack on signed tokens is made with real tokens, and each gets the same refusal."""

import hashlib
import hmac
import socket
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cloud.foundation.http.errors import InvalidToken, WrongEnvironment
from cloud.foundation.http.host import Host
from tests.builders.auth_world import API, ISSUER, NOON_S, AuthWorld, key_pair, names, private_of, segment

PATHS_AND_QUERIES = ("../../dev/null", "' OR 1=1--", "http://evil.example/jwks")
HEADER: dict[str, Any] = {"alg": "RS256", "kid": key_pair(1).kid, "typ": "at+jwt"}


async def refused(world: AuthWorld, token: str) -> None:
    try:
        await world.surface.verifier.verify(token, Host.API)
    except InvalidToken:
        return
    pytest.fail(f"accepted: {token[:400]}")


async def accepted(world: AuthWorld, token: str) -> None:
    caller = await world.surface.verifier.verify(token, Host.API)
    assert caller.client_id == world.app.client_id


def with_header(world: AuthWorld, header: dict[str, Any] | bytes) -> str:
    """Return a token with this header and a valid signature by the current key."""
    private = private_of(1)
    signed = f"{segment(header)}.{segment(world.claims())}".encode()
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(signed, private)
    return f"{signed.decode()}.{segment(signature)}"


async def test_unaltered_access_token_is_accepted(world: AuthWorld) -> None:
    await accepted(world, with_header(world, HEADER))
    await accepted(world, world.signed(world.claims()))


@pytest.mark.contract("S-040")
async def test_token_without_a_signature_is_refused(world: AuthWorld) -> None:
    for algorithm in ["none", "None", "nOnE", "", None]:
        true_signature = (await world.token()).rpartition(".")[2]
        for header in ({**HEADER, "alg": algorithm}, HEADER):
            unsigned = f"{segment(header)}.{segment(world.claims())}"
            for signature in ("", ".", ".AA", f".{true_signature}"):
                await refused(world, unsigned + signature)


@pytest.mark.contract("S-041")
async def test_token_signed_by_hmac_with_the_public_key_as_secret_is_refused(world: AuthWorld) -> None:
    for form in ["pem", "der", "jwk"]:
        public = key_pair(1).public()
        secret = {
            "pem": public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
            "der": key_pair(1).public_key,
            "jwk": RSAAlgorithm.to_jwk(public).encode(),
        }[form]
        for header in ({**HEADER, "alg": "HS256"}, HEADER):
            signed = f"{segment(header)}.{segment(world.claims())}"
            mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
            await refused(world, f"{signed}.{segment(mac)}")


@pytest.mark.contract("S-042")
async def test_token_with_a_path_or_query_or_url_as_its_key_id_is_refused_without_a_network_connection(
    world: AuthWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for kid in (*PATHS_AND_QUERIES, "k" * 6000, "", None, 7, ["a"], "\u0000"):

        def forbidden(*_: Any, **__: Any) -> None:
            raise AssertionError("a key name led to a connection")

        monkeypatch.setattr(socket.socket, "connect", forbidden)
        await refused(world, with_header(world, {**HEADER, "kid": kid}))
        await refused(world, with_header(world, {"alg": "RS256", "typ": "at+jwt"}))
        assert "evil" not in "".join(capsys.readouterr())


@pytest.mark.contract("S-043")
async def test_key_embedded_in_a_token_header_is_not_used(world: AuthWorld) -> None:
    for member in ["jwk", "jku", "x5u", "x5c"]:
        attacker = rsa.generate_private_key(65537, 2048)
        brought = {
            "jwk": RSAAlgorithm.to_jwk(attacker.public_key(), as_dict=True),
            "jku": "https://evil.example/jwks.json",
            "x5u": "https://evil.example/chain.pem",
            "x5c": ["MIIB"],
        }[member]
        headers = {"kid": HEADER["kid"], "typ": "at+jwt", member: brought}
        await refused(world, jwt.encode(world.claims(), attacker, "RS256", headers=headers))
        await refused(world, with_header(world, {**HEADER, member: brought}))


@pytest.mark.contract("S-044")
async def test_token_with_altered_parts_or_extra_characters_is_refused(world: AuthWorld) -> None:
    token = await world.token()
    header, payload, signature = token.split(".")
    other = segment({**world.claims(), "tenant_id": "tnt_south"})
    altered = [f"{header}.{other}.{signature}", token[:-1], token[:-4], f"{header}.{payload}", f"{header}..{signature}"]
    # Another spelling of the same bytes.
    altered += [
        f"{token}=",
        f"{token}==",
        f"{token}\n",
        f"{token} ",
        f" {token}",
        f"{token}.",
        f"{token}A",
        f".{token}",
    ]
    altered += [f"{header}.{payload}=.{signature}", token + "\u00e9"]
    if "-" in signature or "_" in signature:
        altered.append(f"{header}.{payload}.{signature.replace('-', '+').replace('_', '/')}")
    for one in altered:
        await refused(world, one)
    await accepted(world, token)


@pytest.mark.contract("S-044")
async def test_token_with_any_one_character_changed_is_refused(world: AuthWorld) -> None:
    token = await world.token()
    await accepted(world, token)
    for place in range(0, len(token), 37):
        other = "A" if token[place] != "A" else "B"
        await refused(world, token[:place] + other + token[place + 1 :])


@pytest.mark.contract("S-044")
async def test_token_with_an_ecdsa_signature_is_refused(world: AuthWorld) -> None:
    attacker = ec.generate_private_key(ec.SECP256R1())
    for header in ({**HEADER, "alg": "ES256"}, HEADER):
        signed = f"{segment(header)}.{segment(world.claims())}"
        raw = ECAlgorithm(ECAlgorithm.SHA256).sign(signed.encode(), attacker)
        await refused(world, f"{signed}.{segment(raw)}")
        await refused(world, f"{signed}.{segment(raw[32:] + raw[:32])}")


@pytest.mark.contract("S-045", "S-046")
async def test_signed_token_with_an_unexpected_header_is_refused(world: AuthWorld) -> None:
    for changed in [
        {"crit": ["x"], "x": 1},
        {"crit": []},
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"typ": "application/at+jwt"},
        {"typ": "id+jwt"},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ]:
        await refused(world, with_header(world, {**HEADER, **changed}))
        await refused(world, with_header(world, {"typ": "at+jwt", "alg": "RS256", "kid": HEADER["kid"]}))
        await refused(world, with_header(world, b'{"alg":"none","alg":"RS256"}'))


@pytest.mark.contract("S-046")
async def test_token_is_accepted_either_on_production_hosts_or_on_the_sandbox_host_and_never_on_both(
    world: AuthWorld,
) -> None:
    sandbox = world.signed(world.claims(aud="sandbox", token_use="sandbox"))
    for host in (Host.API, Host.AUTH, Host.DOCS):
        with pytest.raises(WrongEnvironment):
            await world.surface.verifier.verify(sandbox, host)
    assert (await world.surface.verifier.verify(sandbox, Host.SANDBOX)).token_use == "sandbox"
    with pytest.raises(WrongEnvironment):
        await world.surface.verifier.verify(await world.token(), Host.SANDBOX)
    for audience, use in (
        (["sandbox"], "sandbox"),
        (["sandbox", API], "access"),
        ("sandbox", "access"),
        ([API], "sandbox"),
    ):
        mixed = world.signed(world.claims(aud=audience, token_use=use))
        for host in Host:
            with pytest.raises(InvalidToken):
                await world.surface.verifier.verify(mixed, host)


@pytest.mark.contract("S-047")
async def test_token_with_invalid_or_past_or_too_distant_times_is_refused(world: AuthWorld) -> None:
    for changed in [
        {"exp": None},
        {"exp": 1e308},
        {"exp": float(NOON_S + 60)},
        {"exp": str(NOON_S + 60)},
        {"exp": True},
        {"exp": 2**63},
        {"exp": NOON_S + 3601},  # longer than an access token lives
        {"exp": NOON_S + 91 * 86400, "token_use": "service"},
        {"exp": NOON_S - 61, "iat": NOON_S - 3000, "nbf": NOON_S - 3000},
        {"exp": NOON_S, "iat": NOON_S - 3000, "nbf": NOON_S - 3000},
        {"nbf": NOON_S + 61, "iat": NOON_S + 61},
        {"iat": NOON_S + 61, "nbf": NOON_S + 61},
        {"nbf": NOON_S + 3600},
        {"nbf": NOON_S - 1},  # before it was issued
        {"nbf": NOON_S + 120},
        {"nbf": None},
        {"iat": None},
        {"iat": 0, "nbf": 0, "exp": NOON_S + 60},
        {"iat": "0"},
        {"iat": -1e308},
    ]:
        await refused(world, world.signed(world.claims(**changed)))


async def test_token_issue_time_has_one_minute_of_tolerance_and_token_expiry_has_none(world: AuthWorld) -> None:
    await accepted(world, world.signed(world.claims(iat=NOON_S + 60, nbf=NOON_S + 60)))
    token = await world.token()
    world.pass_time(minutes=59, seconds=59)
    await accepted(world, token)
    world.pass_time(seconds=1)
    await refused(world, token)


@pytest.mark.contract("S-048")
async def test_token_for_another_audience_is_refused(world: AuthWorld) -> None:
    for audience in [
        None,
        [],
        API,
        ISSUER,
        [ISSUER],
        "https://other.example",
        ["https://other.example"],
        [API, "https://other.example"],
        [API, "sandbox"],
        [API + "/"],
        [API.upper()],
        [[API]],
        {API: 1},
        7,
        [API, 7],
    ]:
        await refused(world, world.signed(world.claims(aud=audience)))


@pytest.mark.contract("S-048")
async def test_auth_host_accepts_only_tokens_with_its_audience(world: AuthWorld) -> None:
    for host, scope in ((Host.AUTH, "webhooks:write"), (Host.API, "argus:devices:write"), (Host.API, "webhooks:write")):
        assert (await world.surface.verifier.verify(await world.token(scope), host)).scopes >= {scope}
    with pytest.raises(InvalidToken):
        await world.surface.verifier.verify(await world.token("argus:devices:write"), Host.AUTH)


@pytest.mark.contract("S-049")
async def test_token_of_another_issuer_is_refused(world: AuthWorld) -> None:
    for issuer in [None, ISSUER + "/", API, "", ISSUER.upper(), [ISSUER], "https://evil.example"]:
        await refused(world, world.signed(world.claims(iss=issuer)))


async def test_token_with_an_absent_or_malformed_claim_is_refused(world: AuthWorld) -> None:
    for changed in [
        {"sub": None},
        {"sub": 7},
        {"sub": "a b"},
        {"client_id": None},
        {"client_id": "x" * 65},
        {"scope": None},
        {"scope": ""},
        {"scope": ["argus:devices:write"]},
        {"scope": "argus:devices:write "},
        {"scope": "argus:everything"},
        {"tenant_id": None},
        {"tenant_id": "tnt_south"},  # not the tenant of the app
        {"organization_id": ""},
        {"secrecy_level": None},
        {"secrecy_level": "cosmic"},
        {"secrecy_level": 4},
        {"token_use": None},
        {"token_use": "root"},
        {"token_use": ["access"]},
        {"jti": None},
        {"jti": ["a"]},
        {"sub": "usr_absent"},
    ]:
        await refused(world, world.signed(world.claims(**changed)))


async def test_token_with_a_payload_other_than_an_object_is_refused(world: AuthWorld) -> None:
    for payload in [[], "x", None, 7]:
        await refused(world, world.signed(payload))


@pytest.mark.contract("S-053")
async def test_overlong_token_is_refused_without_signature_verification(
    world: AuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = await world.token()
    long = world.signed(world.claims(padding="x" * 65_536))

    def forbidden(*_: Any) -> None:
        raise AssertionError("an overlong token was looked at")

    monkeypatch.setattr("cloud.access.tokens.verifier.verify", forbidden)
    for token in (long, "A" * 65_536, good + "." * 65_536):
        await refused(world, token)


@pytest.mark.contract("S-040", "S-044")
async def test_text_that_is_not_a_jwt_is_refused(world: AuthWorld) -> None:
    for text in ["", ".", "..", "...", "a.b.c", "Bearer", "\u00e9.\u00e9.\u00e9", "a" * 200]:
        await refused(world, text)


def test_issuer_url_is_one_of_the_audiences_of_access_tokens() -> None:
    assert names().audiences == {API, ISSUER}


async def test_signature_is_verified_only_for_an_uncached_token_with_a_known_key_id(world: AuthWorld) -> None:
    verifier = world.surface.verifier
    token = await world.token()
    await accepted(world, await world.token())  # from here on the keys are known
    header, payload, signature = token.split(".")
    for other in ("", "x", f"{header}.{payload}", f"{segment({**HEADER, 'kid': 'x'})}.{payload}.{signature}"):
        assert not verifier.needs_arithmetic(other)
    assert not verifier.needs_arithmetic(f"{header}.{payload}.{signature}AAAA"), "no signature of a key has that length"
    assert not verifier.needs_arithmetic("ą" + token)
    forged = f"{header}.{payload}.{signature[:-4]}AAAA"
    assert verifier.needs_arithmetic(forged)
    await refused(world, forged)
    assert verifier.needs_arithmetic(forged), "what was refused is not kept: a flood would push the others out"
    fresh = world.signed(world.claims())
    assert verifier.needs_arithmetic(fresh)
    await accepted(world, fresh)
    assert not verifier.needs_arithmetic(fresh)
