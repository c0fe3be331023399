"""A client of the platform's administration routes: real tokens, an auth host on a real socket, and users with
different rights.

`admin` administers the whole tenant `tnt_north`, `station` only its organisation `org_north`; `reader` may only read;
`member` has no administrator's role; `cleared` has the clearance for secret data; `south` administers another tenant.
Each user's token is issued to the app `app_console_…` of the user's tenant, which an operator approved for
administration.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cloud.access.apps import NAMES, App, Apps, Wanted
from cloud.access.apps import routes as apps_routes
from cloud.access.audit import Audit, AuditEntry
from cloud.access.identity import Role, User, UserStore
from cloud.access.oauth import tokens_of
from cloud.foundation.db import Database
from cloud.foundation.viewer import SecrecyLevel
from tests.builders.auth_world import BASES, MASTER, NOON_S, AuthWorld
from tests.builders.cloud_people import Household, household
from tests.builders.parts import make_parts
from tests.harness.auth_server import AuthServer, ReadResponse, auth_server

ADMIN, READ = "argus:platform:admin", "argus:platform:read"
APPS = "/v1/platform/apps"
CASE_SYNC = {
    "name": "Case sync connector",
    "grant_types": ["client_credentials"],
    "redirect_uris": [],
    "requested_scopes": ["webhooks:write"],
}


@dataclass
class Platform:
    """A client that sends requests as one of the users. `south` is the second tenant."""

    world: AuthWorld
    server: AuthServer
    south: Household
    tokens: dict[str, str]
    secrets: set[str] = field(default_factory=set)
    """Every secret and token that a response contained."""

    async def ask(
        self, method: str, path: str, body: Any = None, *, who: str = "admin", **headers: str
    ) -> ReadResponse:
        """Send a request as the user `who`, and return the response. Underscores in the names of `headers` become
        hyphens."""
        given = {"Authorization": f"Bearer {self.tokens[who]}"}
        given |= {name.replace("_", "-"): text for name, text in headers.items()}
        more = {} if body is None else {"json": body}
        answered = await self.server.ask(method, path, headers=given, **more)
        if isinstance(answered.document, dict):
            shown = (answered.document.get(name) for name in ("client_secret", "callback_signing_secret", "token"))
            self.secrets |= {one for one in shown if one}
        return answered

    async def register(self, *, who: str = "admin", **changed: Any) -> dict[str, Any]:
        """Register an app, by default `CASE_SYNC` with `changed` fields; return the response's document."""
        answered = await self.ask("POST", APPS, {**CASE_SYNC, **changed}, who=who)
        assert answered.status == 201, answered.document
        document: dict[str, Any] = answered.document
        return document

    async def govern(self, app: dict[str, Any], **flags: Any) -> dict[str, Any]:
        """Change governance flags of an app; return all of its flags after the change."""
        answered = await self.ask("PATCH", f"{APPS}/{app['client_id']}/governance", flags)
        assert answered.status == 200, answered.document
        governance: dict[str, Any] = answered.document["governance"]
        return governance

    async def granted(self, app: dict[str, Any], secret: str | None = None, **form: str) -> ReadResponse:
        """Request a token for an app by the client credentials grant, and return the response."""
        return await self.server.token(basic=(app["client_id"], secret or app["client_secret"]), **form)

    async def entries(self, action: str) -> list[AuditEntry]:
        """Return the audit entries of an action in `tnt_north`, without the entries that the test's set-up wrote as the
        operator."""
        async with self.world.database.read() as tx:
            found = await Audit(self.world.clock).list(tx, self.world.home.operator, action=action)
        return [entry for entry in found if entry.actor != "operator"]


@asynccontextmanager
async def platform(world: AuthWorld, **more: Any) -> AsyncIterator[Platform]:
    """Run the auth host with the administration routes until the block ends, and yield a client. `more` are arguments
    of `auth_server`."""
    south = await household(world.database, world.clock, name="south")
    organization_id = world.home.organization.id
    tokens = {
        "admin": await _token(world, world.home, "admin"),
        "station": await _token(world, world.home, "station", organization_id=organization_id),
        "reader": await _token(world, world.home, "reader", scopes=(READ,)),
        "member": await _token(world, world.home, "member", role=Role.MEMBER, scopes=("argus:epcr:read",)),
        "cleared": await _token(world, world.home, "cleared", clearance=SecrecyLevel.SECRET),
        "south": await _token(world, south, "south"),
    }
    parts = make_parts(world.database, world.clock, bases=BASES, master=MASTER, made={tokens_of: world.surface})
    rows = apps_routes.routes(parts)
    async with auth_server(world, more_rows=rows, **more) as server:
        yield Platform(world, server, south, tokens)


async def _token(
    world: AuthWorld,
    home: Household,
    name: str,
    *,
    role: Role = Role.ADMINISTRATOR,
    scopes: tuple[str, ...] = (ADMIN, READ),
    organization_id: str | None = None,
    clearance: SecrecyLevel = SecrecyLevel.STANDARD,
) -> str:
    console = await _console(world.database, world.apps, home)
    user = User(
        id=world.ids.new("usr"),
        tenant_id=home.tenant.id,
        organization_id=organization_id,
        username=f"{name}@example.org",
        roles=(role,),
        clearance=clearance,
        created_at_us=world.clock.now_us(),
    )
    async with world.database.transaction() as tx:
        assert await UserStore().add(tx, user, "nobody signs in as them")
    return (await world.surface.mint.delegated_token(console, user, scopes, auth_time_s=NOON_S)).token


async def _console(database: Database, apps: Apps, home: Household) -> App:
    client_id = f"app_console_{home.tenant.name.rpartition(' ')[2]}"
    known = await apps.find(client_id)
    if known is not None:
        return known
    wanted = Wanted(name="Console", scopes=NAMES, client_id=client_id, clearance=SecrecyLevel.TOP_SECRET)
    return (await apps.register(home.operator, wanted, by_operator=True)).app


__all__ = ["ADMIN", "APPS", "CASE_SYNC", "READ", "Platform", "platform"]
