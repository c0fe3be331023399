"""The authorization-code flow: somebody is asked, an app gets a code, and the code becomes a token, once."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from cloud.apps import App, Governance, GrantType
from tests.builders.auth_world import API, DEVICES, ISSUER, WEBHOOKS, AuthWorld
from tests.harness.auth_server import Answered, AuthServer, auth_server
from tests.harness.page_reader import Page, PageReader

REDIRECT = "https://integrator.example/callback"
NATIVE = "http://127.0.0.1/cb"
VERIFIER = "a" * 43
CODE = [GrantType.AUTHORIZATION_CODE]


def challenge(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Flow:
    """One app and one person on one auth host."""

    world: AuthWorld
    server: AuthServer
    app: App
    secret: str | None
    ada: PageReader
    pkce: bool = True
    more: dict[str, str] = field(default_factory=dict)

    def address(self, **changed: str | None) -> str:
        """An authorization request; None leaves a parameter out."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.app.client_id,
            "redirect_uri": REDIRECT,
            "scope": DEVICES,
            "state": "a state",
            "code_challenge": challenge() if self.pkce else None,
            "code_challenge_method": "S256" if self.pkce else None,
            **changed,
        }
        pairs = {name: value for name, value in asked.items() if value is not None}
        return f"/v1/oauth/authorize?{urlencode(pairs)}"

    async def ask(self, **changed: str | None) -> Page:
        return await self.ada.get(self.address(**changed))

    async def allowed(self, **changed: str | None) -> Page:
        """The redirect to the app, after whatever had to be answered with yes."""
        page = await self.ask(**changed)
        return page if page.status == 302 else await self.ada.submit(page.form("/consent"), decision="allow")

    async def code(self, **changed: str | None) -> str:
        return answer_of(await self.allowed(**changed))["code"]

    async def redeem(self, code: str | None, **changed: str | None) -> Answered:
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "client_id": self.app.client_id,
            "client_secret": self.secret,
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER if self.pkce else None,
            **changed,
        }
        sent = {name: value for name, value in form.items() if value is not None}
        return await self.server.ask("POST", "/v1/oauth/token", data=sent)


def answer_of(page: Page) -> dict[str, str]:
    """The parameters of a redirect to the app."""
    assert page.status in (302, 303), page.text
    return {name: values[0] for name, values in parse_qs(urlsplit(page.location).query).items()}


@asynccontextmanager
async def flow(world: AuthWorld, *, signed_in: bool = True, **more: Any) -> AsyncIterator[Flow]:
    """`more` is about the app."""
    given = {"grant_types": CODE, "redirect_uris": [REDIRECT], **more}
    pkce = given.pop("pkce", True)
    app, secret = await world.register("flow", *given.pop("scopes", (DEVICES, WEBHOOKS)), **given)
    await world.person()
    async with auth_server(world) as server:
        ada = PageReader(server)
        if signed_in:
            await ada.sign_in()
        yield Flow(world, server, app, secret, ada, pkce)


@pytest.mark.contract("C-053", "C-054", "C-057", "C-058", "C-059", "C-062", "C-063", "S-013")
async def test_somebody_lets_an_app_act_for_them(world_on_either: AuthWorld) -> None:
    async with flow(world_on_either, signed_in=False) as it:
        page = await it.ask()
        assert page.location.startswith("/sign-in?next=%2Fv1%2Foauth%2Fauthorize")
        form = (await it.ada.get(page.location)).form("/sign-in")
        page = await it.ada.submit(form, username="Ada@example.org", password="correct horse battery")
        page = await it.ada.follow(page)
        assert "flow asks to act for you" in page.text
        assert "Enrol medical devices" in page.text
        page = await it.ada.submit(page.form("/consent"), decision="allow")
        assert page.answered.headers["Cache-Control"] == "no-store"
        assert page.answered.headers["Referrer-Policy"] == "no-referrer"
        told = answer_of(page)
        assert page.location.startswith(f"{REDIRECT}?")
        assert (told["state"], told["iss"]) == ("a state", ISSUER)
        answer = await it.redeem(told["code"])
        assert answer.status == 200, answer.document
        assert answer.headers["Cache-Control"] == "no-store"
        assert {name: answer.document[name] for name in ("token_type", "expires_in", "scope")} == {
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": DEVICES,
        }
        assert (await it.server.probe(answer.document["access_token"])).status == 200
        claims = await it.world.surface.verifier.claims(answer.document["access_token"])
        assert claims is not None
        assert claims.holder.subject.startswith("usr_")
        assert claims.auth_time_s == claims.issued_at_s
        assert claims.holder.audience == frozenset({API})


@pytest.mark.contract("A-035")
async def test_what_was_allowed_once_is_not_asked_again_and_more_is(world: AuthWorld) -> None:
    async with flow(world) as it:
        assert (await it.ask()).status == 200
        await it.code()
        assert "code" in answer_of(await it.ask())
        assert "Create and update outbound webhook" in (await it.ask(scope=f"{DEVICES} {WEBHOOKS}")).text
        refused = await it.ada.submit((await it.ask(scope=WEBHOOKS)).form("/consent"), decision="deny")
        assert answer_of(refused)["error"] == "access_denied"


@pytest.mark.contract("A-035")
async def test_a_native_app_is_asked_about_each_time_since_any_program_could_be_it(world: AuthWorld) -> None:
    async with flow(world, redirect_uris=[NATIVE, REDIRECT], confidential=False) as it:
        await it.code(redirect_uri=NATIVE)
        assert (await it.ask(redirect_uri=NATIVE)).status == 200
        assert (await it.ask(redirect_uri="http://127.0.0.1:49152/cb")).status == 200
        assert "code" in answer_of(await it.ask(redirect_uri=REDIRECT)), "only the app itself answers there"


@pytest.mark.contract("S-001", "A-034")
@pytest.mark.parametrize("client_id", ["app_nobody", "../app_flow", "", "app_flow\r\nX: y"])
async def test_an_unknown_app_gets_no_redirect(world: AuthWorld, client_id: str) -> None:
    async with flow(world) as it:
        page = await it.ask(client_id=client_id)
        assert (page.status, "Location" in page.answered.headers) == (400, False)
        assert "This link cannot be used" in page.text


@pytest.mark.contract("S-002", "C-055", "A-034")
@pytest.mark.parametrize(
    "redirect",
    [
        f"{REDIRECT}/extra",
        f"{REDIRECT}?x=1",
        f"{REDIRECT}#f",
        "https://integrator.example:8443/callback",
        "http://integrator.example/callback",
        "https://integrator.example.evil/callback",
        "https://integrator.example@evil/callback",
        "https://INTEGRATOR.example/callback",
        "https://integrator.example/Callback",
        "https://integrator.example/%2e%2e/callback",
        "https://integrator.example/callback\r\nX: y",
        "",
    ],
)
async def test_an_address_that_is_not_registered_letter_by_letter_gets_no_redirect(
    world: AuthWorld, redirect: str
) -> None:
    async with flow(world) as it:
        page = await it.ask(redirect_uri=redirect)
        assert (page.status, "Location" in page.answered.headers) == (400, False)


@pytest.mark.contract("S-003")
async def test_a_native_app_opens_any_port_of_the_loopback_by_address(world: AuthWorld) -> None:
    async with flow(world, redirect_uris=[NATIVE], confidential=False) as it:
        for port in ("", ":49152"):
            page = await it.allowed(redirect_uri=f"http://127.0.0.1{port}/cb")
            assert page.location.startswith(f"http://127.0.0.1{port}/cb?code=")
        for other in ("http://localhost:49152/cb", "http://127.0.0.1:49152/other", "http://127.0.0.1:0/cb"):
            assert (await it.ask(redirect_uri=other)).status == 400


@pytest.mark.contract("S-004", "S-005", "S-006", "C-056", "A-033")
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "argus:platform:admin"}, "invalid_scope"),
        ({"scope": "argus:epcr:write"}, "invalid_scope"),
        ({"scope": "no:such:scope"}, "invalid_scope"),
        ({"scope": f"{DEVICES}  {WEBHOOKS}"}, "invalid_scope"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
    ],
)
async def test_a_request_that_cannot_be_granted_is_told_to_the_app(
    world: AuthWorld, changed: dict[str, str | None], error: str
) -> None:
    async with flow(world, confidential=False) as it:
        told = answer_of(await it.ask(**changed))
        assert (told["error"], told["state"], told["iss"]) == (error, "a state", ISSUER)
        assert "code" not in told


async def test_a_bad_request_bothers_nobody_with_signing_in(world: AuthWorld) -> None:
    async with flow(world, signed_in=False) as it:
        assert answer_of(await it.ask(scope="no:such:scope"))["error"] == "invalid_scope"


@pytest.mark.contract("S-017")
async def test_a_parameter_that_comes_twice_is_refused(world: AuthWorld) -> None:
    async with flow(world) as it:
        twice = await it.ada.get(f"{it.address()}&scope={WEBHOOKS}")
        assert answer_of(twice)["error"] == "invalid_request"
        for name in ("redirect_uri", "client_id"):
            value = {"redirect_uri": REDIRECT, "client_id": it.app.client_id}[name]
            assert (await it.ada.get(f"{it.address()}&{urlencode({name: value})}")).status == 400


@pytest.mark.contract("S-016", "C-058")
async def test_a_state_comes_back_as_it_was_and_is_no_way_into_a_header(world: AuthWorld) -> None:
    async with flow(world) as it:
        for state in ("\r\nSet-Cookie: a=b", "<script>alert(1)</script>", "ż" * 512):
            page = await it.allowed(state=state)
            assert answer_of(page)["state"] == state
            assert "a=b" not in str(page.answered.headers.getall("Set-Cookie", []))
        long = answer_of(await it.ask(state="s" * 1025))
        assert (long["error"], "state" in long) == ("invalid_request", False)


@pytest.mark.contract("S-014", "A-035")
async def test_no_page_can_be_framed_or_run_a_script(world: AuthWorld) -> None:
    async with flow(world) as it:
        for page in (await it.ask(), await it.ada.get("/sign-in"), await it.ask(client_id="app_nobody")):
            policy = page.answered.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert page.answered.headers["X-Frame-Options"] == "DENY"
        assert (
            "form-action 'self' https://integrator.example;"
            in ((await it.ask()).answered.headers["Content-Security-Policy"])
        )


@pytest.mark.contract("S-015")
async def test_a_strangers_form_gives_no_consent(world: AuthWorld) -> None:
    async with flow(world) as it:
        form = (await it.ask()).form("/consent")
        for page in (
            await it.ada.submit(form, decision="allow", form_token=""),
            await it.ada.submit(form, decision="allow", form_token="x" * 43),
            await it.ada.submit(form, origin="https://evil.example", decision="allow"),
            await it.ada.submit(form, origin="null", decision="allow"),
        ):
            assert (page.status, "Location" in page.answered.headers) == (403, False)
            assert "form_forged" in page.text
        nobody = PageReader(it.server)
        assert (await nobody.submit(form, decision="allow")).status == 403


@pytest.mark.contract("S-010", "A-036")
async def test_a_code_that_comes_twice_ends_the_token_of_the_first_time(world_on_either: AuthWorld) -> None:
    async with flow(world_on_either) as it:
        code = await it.code()
        token = (await it.redeem(code)).document["access_token"]
        assert (await it.server.probe(token)).status == 200
        assert (await it.redeem(code)).error == (400, "invalid_grant")
        it.world.pass_time(seconds=10)
        assert (await it.server.probe(token)).status == 401


@pytest.mark.contract("S-010", "A-036")
async def test_of_twenty_redemptions_at_once_one_gives_a_token(world_on_either: AuthWorld) -> None:
    async with flow(world_on_either) as it:
        code = await it.code()
        answers = await asyncio.gather(*[it.redeem(code) for _ in range(20)])
        assert sorted(answer.status for answer in answers) == [200] + [400] * 19
        assert {answer.document["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}


@pytest.mark.contract("S-007", "S-009", "S-012", "A-036")
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "b" * 43}, "invalid_grant"),
        ({"code_verifier": "a" * 42}, "invalid_request"),
        ({"code_verifier": "a" * 129}, "invalid_request"),
        ({"redirect_uri": f"{REDIRECT}?x=1"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
    ],
)
async def test_a_code_needs_everything_that_it_was_made_with(
    world: AuthWorld, changed: dict[str, str | None], error: str
) -> None:
    async with flow(world) as it:
        code = await it.code()
        assert (await it.redeem(code, **changed)).error == (400, error)
        assert (await it.redeem(code)).status == 200, "a mistake does not spend the code"
        assert (await it.redeem("no such code")).error == (400, "invalid_grant")
        assert (await it.redeem(None)).error == (400, "invalid_request")


@pytest.mark.contract("S-008", "A-033")
async def test_a_verifier_for_a_code_without_a_challenge_is_refused(world: AuthWorld) -> None:
    async with flow(world, pkce=False, governance=Governance(enforce_pkce=False)) as it:
        code = await it.code()
        assert (await it.redeem(code, code_verifier=VERIFIER)).error == (400, "invalid_grant")
        assert (await it.redeem(code)).status == 200


@pytest.mark.contract("S-011")
async def test_a_code_is_for_the_app_that_asked(world: AuthWorld) -> None:
    other, secret = await world.register("other", grant_types=CODE, redirect_uris=[REDIRECT])
    async with flow(world) as it:
        code = await it.code()
        stolen = await it.redeem(code, client_id=other.client_id, client_secret=secret)
        assert stolen.error == (400, "invalid_grant")
        assert (await it.redeem(code)).status == 200


@pytest.mark.contract("S-012", "A-036")
async def test_a_code_is_good_for_a_minute(world: AuthWorld) -> None:
    async with flow(world) as it:
        first = await it.code()
        it.world.pass_time(seconds=59)
        second = await it.code()
        assert (await it.redeem(first)).status == 200
        it.world.pass_time(seconds=61)
        assert (await it.redeem(second)).error == (400, "invalid_grant")


@pytest.mark.contract("C-056", "A-033")
async def test_a_public_app_proves_itself_by_pkce_alone(world: AuthWorld) -> None:
    async with flow(world, confidential=False) as it:
        assert (await it.redeem(await it.code(), client_secret=None)).status == 200
        guess = await it.redeem(await it.code(), client_secret="guess")
        assert guess.error == (401, "invalid_client")


@pytest.mark.contract("A-034")
async def test_the_only_redirect_uri_may_be_left_out_on_both_ways(world: AuthWorld) -> None:
    async with flow(world) as it:
        code = await it.code(redirect_uri=None)
        assert (await it.redeem(code, redirect_uri=None)).status == 200


@pytest.mark.contract("C-039", "A-045")
async def test_governance_narrows_where_codes_may_go(world: AuthWorld) -> None:
    async with flow(world, governance=Governance(allowed_redirect_hosts=("elsewhere.example",))) as it:
        assert (await it.ask()).status == 400


@pytest.mark.contract("C-064", "A-038")
async def test_without_a_scope_the_code_is_for_all_that_the_app_and_the_person_may(world: AuthWorld) -> None:
    async with flow(world) as it:
        answer = await it.redeem(await it.code(scope=None))
        assert answer.document["scope"] == f"{WEBHOOKS} {DEVICES}"


@pytest.mark.contract("S-060")
async def test_nobody_of_another_tenant_can_grant_anything(world: AuthWorld) -> None:
    await world.person("bea@example.org", tenant="south")
    async with flow(world, signed_in=False) as it:
        await it.ada.sign_in("bea@example.org")
        assert answer_of(await it.ask())["error"] == "access_denied"


@pytest.mark.contract("S-051")
async def test_a_code_of_somebody_who_was_disabled_meanwhile_is_worth_nothing(world: AuthWorld) -> None:
    async with flow(world) as it:
        code = await it.code()
        await world.disable("ada@example.org")
        assert (await it.redeem(code)).error == (400, "invalid_grant")
        assert (await it.ask()).status == 303


@pytest.mark.contract("A-037")
async def test_the_servers_metadata_names_every_endpoint(world: AuthWorld) -> None:
    async with auth_server(world) as server:
        document = (await server.ask("GET", "/.well-known/oauth-authorization-server")).document
        assert document["issuer"] == ISSUER
        assert document["code_challenge_methods_supported"] == ["S256"]
        assert document["authorization_response_iss_parameter_supported"] is True
        assert document["grant_types_supported"] == ["authorization_code", "client_credentials"]
        for name in ("token_endpoint", "revocation_endpoint", "introspection_endpoint"):
            path = document[name].removeprefix(ISSUER)
            assert (await server.ask("POST", path, data={})).status in (400, 401), name


@pytest.mark.contract("A-037")
async def test_a_tenants_resource_server_can_ask_about_its_tenants_tokens(world: AuthWorld) -> None:
    async with auth_server(world) as server:
        mine = {"client_id": world.app.client_id, "client_secret": world.secret}
        token = await world.token(DEVICES)
        told = (await server.ask("POST", "/v1/oauth/introspect", data={**mine, "token": token})).document
        assert (told["active"], told["scope"], told["client_id"]) == (True, DEVICES, world.app.client_id)
        for other in ("", "x.y.z", token[:-2]):
            answer = await server.ask("POST", "/v1/oauth/introspect", data={**mine, "token": other})
            assert answer.document in ({"active": False}, {**answer.document, "error": "invalid_request"})
        await server.ask("POST", "/v1/oauth/revoke", data={**mine, "token": token})
        world.pass_time(seconds=10)
        told = (await server.ask("POST", "/v1/oauth/introspect", data={**mine, "token": token})).document
        assert told == {"active": False}
