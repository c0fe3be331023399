"""The OAuth authorization request: which apps may send it, its redirect, and when the consent page is shown."""

from urllib.parse import urlencode

import pytest

from cloud.access.apps import Governance
from tests.builders.auth_world import API, DEVICES, ISSUER, WEBHOOKS, AuthWorld
from tests.builders.authorization_flow import NATIVE, REDIRECT, flow, redirect_parameters
from tests.harness.auth_server import auth_server
from tests.harness.page_reader import PageReader


@pytest.mark.contract("C-053", "C-054", "C-057", "C-058", "C-059", "C-062", "C-063", "S-013")
async def test_user_signs_in_and_authorizes_an_app(world_on_either: AuthWorld) -> None:
    async with flow(world_on_either, signed_in=False) as it:
        page = await it.ask()
        assert page.location.startswith("/sign-in?next=%2Fv1%2Foauth%2Fauthorize")
        form = (await it.ada.get(page.location)).form("/sign-in")
        page = await it.ada.submit(form, username="Ada@example.org", password="correct horse battery")
        page = await it.ada.follow(page)
        assert "flow requests access on your behalf" in page.text
        assert "Enrol medical devices" in page.text
        page = await it.ada.submit(page.form("/consent"), decision="allow")
        assert page.answered.headers["Cache-Control"] == "no-store"
        assert page.answered.headers["Referrer-Policy"] == "no-referrer"
        told = redirect_parameters(page)
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
async def test_consent_page_is_shown_only_when_a_requested_scope_was_not_granted_before(world: AuthWorld) -> None:
    async with flow(world) as it:
        assert (await it.ask()).status == 200
        await it.code()
        assert "code" in redirect_parameters(await it.ask())
        assert "Create and update outbound webhook" in (await it.ask(scope=f"{DEVICES} {WEBHOOKS}")).text
        refused = await it.ada.submit((await it.ask(scope=WEBHOOKS)).form("/consent"), decision="deny")
        assert redirect_parameters(refused)["error"] == "access_denied"


@pytest.mark.contract("A-035")
async def test_consent_page_is_shown_for_every_authorization_with_a_loopback_redirect_uri(world: AuthWorld) -> None:
    async with flow(world, redirect_uris=[NATIVE, REDIRECT], confidential=False) as it:
        await it.code(redirect_uri=NATIVE)
        assert (await it.ask(redirect_uri=NATIVE)).status == 200
        assert (await it.ask(redirect_uri="http://127.0.0.1:49152/cb")).status == 200
        assert "code" in redirect_parameters(await it.ask(redirect_uri=REDIRECT)), "only the app itself answers there"


@pytest.mark.contract("S-001", "A-034")
async def test_authorization_request_with_an_unknown_client_id_gets_400_without_a_redirect(world: AuthWorld) -> None:
    async with flow(world) as it:
        for client_id in ("app_nobody", "../app_flow", "", "app_flow\r\nX: y"):
            page = await it.ask(client_id=client_id)
            assert (page.status, "Location" in page.answered.headers) == (400, False), client_id
            assert "This link cannot be used" in page.text


ELSEWHERE = (
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
)


@pytest.mark.contract("S-002", "C-055", "A-034")
async def test_authorization_request_with_an_unregistered_redirect_uri_gets_400_without_a_redirect(
    world: AuthWorld,
) -> None:
    async with flow(world) as it:
        for redirect in ELSEWHERE:
            page = await it.ask(redirect_uri=redirect)
            assert (page.status, "Location" in page.answered.headers) == (400, False), redirect


@pytest.mark.contract("S-003")
async def test_native_app_may_redirect_to_any_port_of_the_loopback_address(world: AuthWorld) -> None:
    async with flow(world, redirect_uris=[NATIVE], confidential=False) as it:
        for port in ("", ":49152"):
            page = await it.allowed(redirect_uri=f"http://127.0.0.1{port}/cb")
            assert page.location.startswith(f"http://127.0.0.1{port}/cb?code=")
        for other in ("http://localhost:49152/cb", "http://127.0.0.1:49152/other", "http://127.0.0.1:0/cb"):
            assert (await it.ask(redirect_uri=other)).status == 400


UNGRANTABLE: tuple[tuple[dict[str, str | None], str], ...] = (
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
)


@pytest.mark.contract("S-004", "S-005", "S-006", "C-056", "A-033")
async def test_invalid_authorization_request_redirects_to_the_app_with_an_error(world: AuthWorld) -> None:
    async with flow(world, confidential=False) as it:
        for changed, error in UNGRANTABLE:
            told = redirect_parameters(await it.ask(**changed))
            assert (told["error"], told["state"], told["iss"]) == (error, "a state", ISSUER), changed
            assert "code" not in told


async def test_invalid_authorization_request_is_refused_before_the_user_signs_in(world: AuthWorld) -> None:
    async with flow(world, signed_in=False) as it:
        assert redirect_parameters(await it.ask(scope="no:such:scope"))["error"] == "invalid_scope"


@pytest.mark.contract("S-017")
async def test_authorization_request_with_a_repeated_parameter_is_refused(world: AuthWorld) -> None:
    async with flow(world) as it:
        twice = await it.ada.get(f"{it.address()}&scope={WEBHOOKS}")
        assert redirect_parameters(twice)["error"] == "invalid_request"
        for name in ("redirect_uri", "client_id"):
            value = {"redirect_uri": REDIRECT, "client_id": it.app.client_id}[name]
            assert (await it.ada.get(f"{it.address()}&{urlencode({name: value})}")).status == 400


@pytest.mark.contract("S-016", "C-058")
async def test_state_parameter_is_returned_unchanged_and_cannot_inject_a_header(world: AuthWorld) -> None:
    async with flow(world) as it:
        for state in ("\r\nSet-Cookie: a=b", "<script>alert(1)</script>", "ż" * 512):
            page = await it.allowed(state=state)
            assert redirect_parameters(page)["state"] == state
            assert "a=b" not in str(page.answered.headers.getall("Set-Cookie", []))
        long = redirect_parameters(await it.ask(state="s" * 1025))
        assert (long["error"], "state" in long) == ("invalid_request", False)


@pytest.mark.contract("S-014", "A-035")
async def test_authorization_pages_forbid_framing_and_scripts(world: AuthWorld) -> None:
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
async def test_consent_form_with_a_wrong_token_or_origin_or_session_is_rejected(world: AuthWorld) -> None:
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


@pytest.mark.contract("A-034")
async def test_redirect_uri_may_be_omitted_by_an_app_with_a_single_registered_redirect_uri(world: AuthWorld) -> None:
    async with flow(world) as it:
        code = await it.code(redirect_uri=None)
        assert (await it.redeem(code, redirect_uri=None)).status == 200


@pytest.mark.contract("C-039", "A-045")
async def test_redirect_uri_with_a_host_outside_the_governance_list_is_refused(world: AuthWorld) -> None:
    async with flow(world, governance=Governance(allowed_redirect_hosts=("elsewhere.example",))) as it:
        assert (await it.ask()).status == 400


@pytest.mark.contract("C-064", "A-038")
async def test_authorization_request_without_a_scope_grants_the_scopes_that_both_app_and_user_have(
    world: AuthWorld,
) -> None:
    async with flow(world) as it:
        answer = await it.redeem(await it.code(scope=None))
        assert answer.document["scope"] == f"{WEBHOOKS} {DEVICES}"


@pytest.mark.contract("S-060")
async def test_user_of_another_tenant_cannot_authorize_an_app(world: AuthWorld) -> None:
    await world.person("bea@example.org", tenant="south")
    async with flow(world, signed_in=False) as it:
        await it.ada.sign_in("bea@example.org")
        assert redirect_parameters(await it.ask())["error"] == "access_denied"


@pytest.mark.contract("A-037")
async def test_authorization_server_metadata_names_every_endpoint(world: AuthWorld) -> None:
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
async def test_introspection_reports_a_token_as_active_until_it_is_revoked(world: AuthWorld) -> None:
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
