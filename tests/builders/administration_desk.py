"""An auth host with the administrator's pages and a signed-in administrator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cloud.access.audit import Audit, AuditEntry
from cloud.access.identity import Role
from cloud.access.oauth import tokens_of
from cloud.foundation.egress import AllowList, Target
from cloud.foundation.egress.target import read_target
from cloud.foundation.http import Parts
from cloud.partners.administration.routes import routes
from cloud.partners.webhooks import judge_of
from tests.builders.auth_world import BASES, MASTER, AuthWorld
from tests.builders.parts import make_parts
from tests.harness.auth_server import AuthServer, auth_server
from tests.harness.page_reader import Page, PageReader

ADA, BO, EVA = "ada@example.org", "bo@example.org", "eva@example.org"


@dataclass
class Office:
    """The running auth host and the signed-in browser of Ada, an administrator of the whole tenant `tnt_north`."""

    world: AuthWorld
    server: AuthServer
    ada: PageReader

    async def south(self) -> PageReader:
        """Create an administrator of the tenant `tnt_south`; return a browser in which this administrator is
        signed in."""
        await self.world.person(EVA, tenant="south")
        return await self.sign_in_browser(EVA)

    async def sign_in_browser(self, username: str, *, language: str = "en") -> PageReader:
        """Open a browser, sign the user in, and return the browser."""
        reader = PageReader(self.server, language)
        await reader.sign_in(username)
        return reader

    async def send(self, page: str, action: str, **fields: str | None) -> Page:
        """Fill in and send a form as Ada: the form with the target `action` on the page at the path `page`. A field of
        None unticks its checkbox."""
        return await self.ada.fill((await self.ada.get(page)).form(action), **fields)

    async def user_id(self, username: str) -> str:
        """Return the id of a user of `tnt_north`."""
        return (await self.world.surface.users.find(self.world.home.operator, username)).id

    async def trail(self, action: str) -> list[AuditEntry]:
        """Return an action's audit entries, newest first. Entries of the test's set-up (actor "operator") are
        left out."""
        async with self.world.database.read() as tx:
            found = await Audit(self.world.clock).list(tx, self.world.home.operator, action=action)
        return [entry for entry in found if entry.actor != "operator"]


async def judged(url: str) -> Target:
    """Check only the form of a webhook address, without resolving its host name. The full check has
    tests of its own."""
    return read_target(url, AllowList())


def parts_of(world: AuthWorld) -> Parts:
    """Return the services (`Parts`) that the administrator's pages are built from."""
    made = {tokens_of: world.surface, judge_of: judged}
    return make_parts(world.database, world.clock, bases=BASES, master=MASTER, made=made)


@asynccontextmanager
async def office(world: AuthWorld) -> AsyncIterator[Office]:
    """Run the auth host with the administrator's pages until the block ends, and yield it with Ada signed in."""
    await world.person(ADA, Role.ADMINISTRATOR)
    async with auth_server(world, more_rows=routes(parts_of(world))) as server:
        it = Office(world, server, PageReader(server))
        await it.ada.sign_in(ADA)
        yield it
