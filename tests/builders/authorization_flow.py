"""The authorization-code flow of one app and one person on an auth host, step by step."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cloud.access.apps import App, GrantType
from tests.builders.auth_world import DEVICES, WEBHOOKS, AuthWorld
from tests.harness.auth_server import AuthServer, ReadResponse, auth_server
from tests.harness.page_reader import Page, PageReader

REDIRECT = "https://integrator.example/callback"
NATIVE = "http://127.0.0.1/cb"
VERIFIER = "a" * 43
CODE = [GrantType.AUTHORIZATION_CODE]


def challenge(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Flow:
    """One app, and the browser of the user Ada, on a running auth host. With `pkce` false, requests have no code
    challenge or verifier."""

    world: AuthWorld
    server: AuthServer
    app: App
    secret: str | None
    ada: PageReader
    pkce: bool = True
    more: dict[str, str] = field(default_factory=dict)

    def address(self, **changed: str | None) -> str:
        """Return the path and query of an authorization request. `changed` replaces parameters; a value of None leaves
        the parameter out."""
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
        """Send an authorization request and allow it if the consent page is shown; return the redirect to the app."""
        page = await self.ask(**changed)
        return page if page.status == 302 else await self.ada.submit(page.form("/consent"), decision="allow")

    async def code(self, **changed: str | None) -> str:
        return redirect_parameters(await self.allowed(**changed))["code"]

    async def redeem(self, code: str | None, **changed: str | None) -> ReadResponse:
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


def redirect_parameters(page: Page) -> dict[str, str]:
    """Return the query parameters of a redirect to the app, such as `code` and `state`."""
    assert page.status in (302, 303), page.text
    return {name: values[0] for name, values in parse_qs(urlsplit(page.location).query).items()}


@asynccontextmanager
async def flow(world: AuthWorld, *, signed_in: bool = True, **more: Any) -> AsyncIterator[Flow]:
    """Run an auth host with one user and one app, and yield the flow. `more` are arguments of the app's
    registration."""
    given = {"grant_types": CODE, "redirect_uris": [REDIRECT], **more}
    pkce = given.pop("pkce", True)
    app, secret = await world.register("flow", *given.pop("scopes", (DEVICES, WEBHOOKS)), **given)
    await world.person()
    async with auth_server(world) as server:
        ada = PageReader(server)
        if signed_in:
            await ada.sign_in()
        yield Flow(world, server, app, secret, ada, pkce)
