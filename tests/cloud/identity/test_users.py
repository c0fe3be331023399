"""A user has one tenant, a password that is stored only as a hash, and a role that limits what apps do for the user."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from cloud.access.apps import PLATFORM_ADMIN
from cloud.access.identity import Passwords, Role, SignInBusy, User, Users, UserUnknown
from cloud.access.identity.errors import PasswordUnfit, RoleUnknown, UsernameMalformed
from cloud.access.identity.model import SCOPES
from cloud.access.tenancy import IdentifierTaken, OrganizationUnknown
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from tests.builders.cloud_people import HandClock, Household, household

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def password_cost() -> None:
    """Override the fixture of all cloud tests, so that passwords are hashed at the product's cost."""


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


@pytest.fixture
async def home(database: Database) -> Household:
    return await household(database, HandClock())


@pytest.fixture
def users(database: Database, passwords: Passwords, home: Household) -> Users:
    clock = HandClock()
    return Users(database, clock, UlidIds(clock), passwords)


async def add(users: Users, home: Household, username: str = "Ada@Example.org", role: str = "member") -> User:
    return await users.add(home.operator, username, PASSWORD, roles=[role], organization_id=home.organization.id)


async def test_enabled_user_authenticates_with_any_letter_case_of_the_user_name(
    users: Users, home: Household, database: Database
) -> None:
    ada = await add(users, home)
    assert (ada.username, ada.id[:4], ada.roles) == ("ada@example.org", "usr_", (Role.MEMBER,))
    assert await users.authenticate("ADA@example.org", PASSWORD) == ada
    for name, password in (("ada@example.org", "wrong horse battery"), ("nobody@example.org", PASSWORD), ("a b", "")):
        assert await users.authenticate(name, password) is None
    async with database.read() as tx:
        kept = (await tx.execute(text("SELECT password_hash FROM users"))).scalar()
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await users.set_disabled(home.operator, ada.username, True)
    assert await users.authenticate(ada.username, PASSWORD) is None
    assert (await users.find(home.operator, ada.username)).scopes == frozenset()
    await users.set_disabled(home.operator, ada.username, False)
    assert await users.authenticate(ada.username, PASSWORD) == ada
    with pytest.raises(IdentifierTaken):
        await add(users, home, "ada@EXAMPLE.org")
    south = await household(database, HandClock(), name="south")
    with pytest.raises(UserUnknown):
        await users.find(south.operator, ada.username)
    with pytest.raises(UserUnknown):
        await users.set_disabled(south.operator, ada.username, True)
    with pytest.raises(OrganizationUnknown):
        await users.add(south.operator, "x@example.org", PASSWORD, roles=["member"], organization_id="org_north")
    for username, password, role, error in (
        ("a b", PASSWORD, "member", UsernameMalformed),
        ("bob", "short", "member", PasswordUnfit),
        ("bob", "x" * 257, "member", PasswordUnfit),
        ("bob", PASSWORD, "root", RoleUnknown),
    ):
        with pytest.raises(error):
            await users.add(home.operator, username, password, roles=[role])
    assert await users.list(home.operator) == [ada]


def test_only_the_administrator_role_has_platform_scopes() -> None:
    assert PLATFORM_ADMIN in SCOPES[Role.ADMINISTRATOR]
    assert not any("platform" in name for name in SCOPES[Role.MEMBER])


async def test_password_check_over_the_limit_of_queued_checks_raises_sign_in_busy() -> None:
    passwords = Passwords(threads=1, waiting_max=2)
    stored = await passwords.hash(PASSWORD)
    attempts = [asyncio.create_task(passwords.matches(PASSWORD, stored)) for _ in range(6)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is True] == [True] * 3
    assert len([outcome for outcome in outcomes if isinstance(outcome, SignInBusy)]) == 3
    assert await passwords.matches(PASSWORD, stored)  # then there is room again
    passwords.close()


async def test_password_does_not_match_a_malformed_or_absent_hash(passwords: Passwords) -> None:
    assert not await passwords.matches(PASSWORD, "not a hash")
    assert not await passwords.matches(PASSWORD, None)
    assert not await passwords.matches("no password of anybody", None)
    # The same letters typed on another keyboard.
    stored = await passwords.hash("Zu\u0308rich am Morgen")
    assert await passwords.matches("Z\u00fcrich am Morgen", stored)
