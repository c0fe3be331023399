"""Objects for tests of signing in: the use cases alone, and a running auth host with the pages for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pyotp
from sqlalchemy import select

from cloud.access.audit import Audit
from cloud.access.identity import Passwords, Role, Users
from cloud.access.identity.sign_in import SecondFactorPolicy, SignIn
from cloud.foundation.db import Database, metadata
from tests.builders.auth_world import MASTER, AuthWorld
from tests.harness.auth_server import AuthServer, auth_server
from tests.harness.page_reader import PageReader

ADA = "ada@example.org"


def sign_in_of(world: AuthWorld, *, full: bool = False) -> SignIn:
    """Return the use cases of signing in. With `full`, all slots for checking passwords are taken."""
    passwords = Passwords(threads=1, waiting_max=-1 if full else 20)
    users = Users(world.database, world.clock, world.ids, passwords)
    return SignIn(world.database, world.clock, users, Audit(world.clock), lambda: MASTER, SecondFactorPolicy.OPTIONAL)


@asynccontextmanager
async def at_the_door(
    world: AuthWorld,
    *,
    role: Role = Role.MEMBER,
    policy: SecondFactorPolicy = SecondFactorPolicy.ADMINISTRATORS,
) -> AsyncIterator[AuthServer]:
    """Run an auth host with the user Ada, who has this role, and with this policy for second factors."""
    await world.person(ADA, role)
    surface = world.another_process(policy)
    await surface.start()
    async with auth_server(world, surface=surface) as server:
        yield server


def now_code(world: AuthWorld, key: str) -> str:
    return pyotp.TOTP(key).at(world.clock.now_us() // 1_000_000)


async def set_up(world: AuthWorld, reader: PageReader) -> tuple[str, list[str]]:
    """Sign in and set up a second factor; return the TOTP key and the recovery codes."""
    page = await reader.follow(await reader.sign_in())
    form = page.form("/sign-in/second-factor/set-up")
    done = await reader.submit(form, code=now_code(world, form.fields["key"]))
    assert done.status == 200, done.text
    return form.fields["key"], done.told["Recovery codes"].split()


async def everything_in(database: Database) -> str:
    """Return the content of every table about people as one text. Bytes appear as hexadecimal and as Latin-1 text."""
    async with database.read() as tx:
        found = []
        for table in ("users", "sign_in_sessions", "known_browsers", "recovery_codes", "sign_in_failures"):
            for row in await tx.execute(select(metadata.tables[table])):
                found += [one.hex() + one.decode("latin-1") if isinstance(one, bytes) else str(one) for one in row]
    assert found
    return "\n".join(found)
