"""People sign in on the auth host with a password, with a second factor where required, and not by guessing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pyotp
import pytest
from sqlalchemy import select

from cloud.access.audit import Audit
from cloud.access.identity import Role
from cloud.access.identity.errors import SignInRefused, SignInThrottled
from cloud.access.identity.sign_in import SecondFactorPolicy
from cloud.foundation.db import Database, metadata
from cloud.foundation.errors import DomainError
from cloud.foundation.http import begin_trace
from tests.builders.auth_world import AuthWorld
from tests.builders.sign_in import sign_in_of
from tests.harness.auth_server import AuthServer, auth_server
from tests.harness.page_reader import PASSWORD, Page, PageReader

ADA = "ada@example.org"
ADMIN = "/admin"
AUTHORIZE = "/v1/oauth/authorize?client_id=app_north&response_type=code"


@asynccontextmanager
async def at_the_door(
    world: AuthWorld,
    *,
    role: Role = Role.MEMBER,
    policy: SecondFactorPolicy = SecondFactorPolicy.ADMINISTRATORS,
) -> AsyncIterator[AuthServer]:
    """Serve an auth host, and add the user Ada."""
    await world.person(ADA, role)
    surface = world.another_process(policy)
    await surface.start()
    async with auth_server(world, surface=surface) as server:
        yield server


def now_code(world: AuthWorld, key: str) -> str:
    return pyotp.TOTP(key).at(world.clock.now_us() // 1_000_000)


async def set_up(world: AuthWorld, reader: PageReader) -> str:
    """Sign in and set up a second factor; return its key."""
    page = await reader.follow(await reader.sign_in())
    form = page.form("/sign-in/second-factor/set-up")
    done = await reader.submit(form, code=now_code(world, form.fields["key"]))
    assert done.status == 303, done.text
    return form.fields["key"]


async def test_somebody_signs_in_and_out(world_on_either: AuthWorld) -> None:
    async with at_the_door(world_on_either) as server:
        ada = PageReader(server)
        page = await ada.sign_in()
        assert (page.status, page.location) == (303, "/sign-in")
        page = await ada.follow(page)
        assert f"Signed in as {ADA}." in page.text
        page = await ada.submit(page.form("/sign-out"))
        assert "You are signed out" in page.text
        assert "User name" in (await ada.get("/sign-in")).text


@pytest.mark.parametrize(
    ("username", "password"),
    [(ADA, "wrong horse battery"), ("nobody@example.org", PASSWORD), (ADA, ""), ("", PASSWORD)],
)
async def test_a_wrong_name_and_a_wrong_password_are_told_alike(world: AuthWorld, username: str, password: str) -> None:
    async with at_the_door(world) as server:
        page = await PageReader(server).sign_in(username, password=password)
        assert page.status == 422
        assert "The user name or the password is wrong." in page.text
        assert password not in page.text or not password


async def test_the_cookie_of_a_session_is_for_this_host_alone_and_out_of_reach_of_scripts(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        page = await PageReader(server).sign_in()
        (cookie,) = [line for line in page.answered.headers.getall("Set-Cookie") if "session" in line]
        assert cookie.startswith("__Host-argus_session=")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


@pytest.mark.contract("S-027")
async def test_a_copy_of_the_database_opens_no_session(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        ada = PageReader(server)
        await ada.sign_in()
        stored = await everything_in(world.database)
        for value in ada.cookies.values():
            assert value not in stored


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "/v1/oauth/authorize.evil", "/sign-in"]
)
async def test_a_link_cannot_send_people_elsewhere_through_us(world: AuthWorld, onward: str) -> None:
    async with at_the_door(world) as server:
        assert (await PageReader(server).sign_in(after=onward)).location == "/sign-in"


async def test_after_signing_in_one_is_where_one_wanted_to_go(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        assert (await PageReader(server).sign_in(after=AUTHORIZE)).location == AUTHORIZE


@pytest.mark.contract("S-015")
async def test_a_strangers_page_signs_nobody_in(world: AuthWorld) -> None:
    """A forged sign-in would let a user work unaware in the attacker's account."""
    async with at_the_door(world) as server:
        ada = PageReader(server)
        form = (await ada.get("/sign-in")).form("/sign-in")
        assert (await ada.submit(form, origin="https://evil.example", username=ADA, password=PASSWORD)).status == 403
        assert (await ada.submit(form, form_token="", username=ADA, password=PASSWORD)).status == 403
        other = PageReader(server)
        assert (await other.submit(form, username=ADA, password=PASSWORD)).status == 403
        assert (await ada.submit(form, origin=None, username=ADA, password=PASSWORD)).status == 303


async def guess(reader: PageReader, count: int) -> Page:
    page = await reader.sign_in(password="wrong horse battery")
    for _ in range(count - 1):
        page = await reader.sign_in(password="wrong horse battery")
    return page


@pytest.mark.contract("S-031")
async def test_guessing_becomes_slow_and_the_wait_is_told(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world) as server:
        stranger = PageReader(server)
        assert (await guess(stranger, 5)).status == 422
        page = await stranger.sign_in()
        assert (page.status, page.answered.headers["Retry-After"]) == (429, "15")
        assert "Try again in 15 seconds." in page.text
        world.pass_time(seconds=15)
        assert (await guess(stranger, 1)).status == 422
        assert (await stranger.sign_in()).answered.headers["Retry-After"] == "30"
        world.pass_time(seconds=30)
        assert (await stranger.sign_in()).status == 303
        again = PageReader(server)
        assert (await guess(again, 5)).status == 422, "what went before is forgotten"


@pytest.mark.contract("S-031")
async def test_a_stranger_cannot_lock_somebody_out_of_their_own_browser(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        ada, stranger = PageReader(server), PageReader(server)
        await ada.sign_in()
        await ada.submit((await ada.get("/sign-in")).form("/sign-out"))
        await guess(stranger, 5)
        assert (await stranger.sign_in()).status == 429
        assert (await ada.sign_in()).status == 303


async def test_a_name_that_nobody_has_is_slowed_down_alike(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        stranger = PageReader(server)
        for _ in range(5):
            assert (await stranger.sign_in("nobody@example.org")).status == 422
        assert (await stranger.sign_in("nobody@example.org")).status == 429


async def test_a_session_ends_after_an_hour_without_use_and_after_twelve_in_any_case(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        ada = PageReader(server)
        await ada.sign_in()
        for _ in range(13):
            world.pass_time(minutes=50)
            assert "Signed in" in (await ada.get("/sign-in")).text
        world.pass_time(minutes=80)
        assert "User name" in (await ada.get("/sign-in")).text
        await ada.sign_in()
        world.pass_time(minutes=61)
        assert "User name" in (await ada.get("/sign-in")).text


@pytest.mark.contract("S-051")
async def test_whoever_is_disabled_is_out_at_once(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        ada = PageReader(server)
        await ada.sign_in()
        await world.disable(ADA)
        assert "User name" in (await ada.get("/sign-in")).text
        assert (await ada.sign_in()).status == 422


async def test_an_administrator_sets_a_second_factor_up_before_anything_else(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        ada = PageReader(server)
        page = await ada.sign_in(after=ADMIN)
        assert page.location == "/sign-in/second-factor/set-up?next=%2Fadmin&lang=en"
        page = await ada.follow(page)
        form = page.form("/sign-in/second-factor/set-up")
        assert form.fields["key"] in page.text
        wrong = await ada.submit(form, code="000000")
        assert (wrong.status, wrong.form(form.action).fields["key"]) == (422, form.fields["key"])
        before = dict(ada.cookies)
        done = await ada.submit(form, code=now_code(world, form.fields["key"]))
        assert (done.status, done.location) == (303, ADMIN)
        assert ada.cookies != before, "what was known before the second factor opens nothing after it"


async def test_whoever_has_a_second_factor_is_asked_for_it_and_each_code_works_once(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        key = await set_up(world, PageReader(server))
        ada = PageReader(server)
        page = await ada.follow(await ada.sign_in())
        form = page.form("/sign-in/second-factor")
        assert (await ada.submit(form, code=now_code(world, key))).status == 422, "it was used for the set-up"
        assert (await ada.get("/sign-in")).status == 303, "the password alone opens nothing"
        world.pass_time(seconds=30)
        assert (await ada.submit(form, code=f" {now_code(world, key)[:3]} {now_code(world, key)[3:]}")).status == 303
        assert "Signed in" in (await ada.get("/sign-in")).text


async def test_codes_cannot_be_guessed(world: AuthWorld) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        key = await set_up(world, PageReader(server))
        ada = PageReader(server)
        form = (await ada.follow(await ada.sign_in())).form("/sign-in/second-factor")
        world.pass_time(seconds=30)
        for _ in range(5):
            assert (await ada.submit(form, code="000000")).status == 422
        assert (await ada.submit(form, code=now_code(world, key))).status == 429
        world.pass_time(seconds=30)
        assert (await ada.submit(form, code=now_code(world, key))).status == 303


@pytest.mark.finding("cloud-5")
async def test_a_parallel_burst_of_codes_tries_five(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        await set_up(world, PageReader(server))
        ada = PageReader(server)
        form = (await ada.follow(await ada.sign_in())).form("/sign-in/second-factor")
        world.pass_time(seconds=30)
        pages = await asyncio.gather(*(ada.submit(form, code=f"{number:06}") for number in range(30)))
        assert sorted(page.status for page in pages) == [422] * 5 + [429] * 25


@pytest.mark.finding("cloud-5")
async def test_a_parallel_burst_of_passwords_tries_five(world_on_either: AuthWorld) -> None:
    async with at_the_door(world_on_either) as server:
        guessers = [PageReader(server) for _ in range(12)]
        pages = await asyncio.gather(*(guesser.sign_in(password="wrong horse battery") for guesser in guessers))
        assert sorted(page.status for page in pages) == [422] * 5 + [429] * 7


@pytest.mark.finding("cloud-5")
async def test_a_parallel_burst_of_present_passwords_tries_five(world_on_either: AuthWorld) -> None:
    world = world_on_either
    user = await world.person(ADA, Role.MEMBER)
    sign_in = sign_in_of(world)
    session = (await sign_in.attempt(ADA, PASSWORD, "192.0.2.1", None, begin_trace())).session
    assert session.user.id == user.id

    async def change() -> type[Exception]:
        try:
            await sign_in.change_password(session, "wrong horse battery", "another horse battery", begin_trace())
        except DomainError as error:
            return type(error)
        raise AssertionError("changed by a wrong password")

    ends = await asyncio.gather(*(change() for _ in range(12)))
    assert (ends.count(SignInRefused), ends.count(SignInThrottled)) == (5, 7)


async def test_a_second_factor_is_sealed_in_the_database(world: AuthWorld) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        key = await set_up(world, PageReader(server))
        assert key not in await everything_in(world.database)


async def test_everybody_may_be_asked_for_one_and_nobody_may(world: AuthWorld) -> None:
    async with at_the_door(world, policy=SecondFactorPolicy.EVERYBODY) as server:
        assert "set-up" in (await PageReader(server).sign_in()).location
    surface = world.another_process(SecondFactorPolicy.OPTIONAL)
    await surface.start()
    async with auth_server(world, surface=surface) as server:
        assert (await PageReader(server).sign_in()).location == "/sign-in"


@pytest.mark.contract("C-017")
async def test_who_came_in_and_who_failed_stands_in_the_audit_trail(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        reader = PageReader(server)
        await guess(reader, 1)
        await reader.sign_in("nobody@example.org")
        await reader.sign_in()
        async with world.database.read() as tx:
            entries = await Audit(world.clock).list(tx, world.home.operator)
        users_own = [entry for entry in entries if entry.action.startswith("user.") and entry.actor != "operator"]
        assert sorted((entry.action, entry.outcome.value) for entry in users_own) == [
            ("user.sign_in", "done"),
            ("user.sign_in", "refused"),
        ]


@pytest.mark.contract("C-006")
async def test_pages_speak_polish_to_whoever_asks_for_it(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        page = await PageReader(server, "pl-PL,pl;q=0.9,en;q=0.5").get("/sign-in")
        assert "Nazwa użytkownika" in page.text
        assert page.answered.headers["Content-Language"] == "pl"
        assert "User name" in (await PageReader(server, "pl").get("/sign-in?lang=en")).text
        assert "User name" in (await PageReader(server, "de, fr;q=0.1").get("/sign-in")).text


@pytest.mark.contract("S-144")
async def test_neither_password_nor_code_nor_cookie_reaches_a_log(
    world: AuthWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        ada = PageReader(server)
        key = await set_up(world, ada)
        await PageReader(server).sign_in(password="wrong horse battery")
        written = "".join(capsys.readouterr())
        for secret in (PASSWORD, "wrong horse battery", key, *ada.cookies.values()):
            assert secret not in written


async def everything_in(database: Database) -> str:
    """Return all rows about people as text; bytes as hexadecimal and as the text that they may be."""
    async with database.read() as tx:
        found = []
        for table in ("users", "sign_in_sessions", "known_browsers", "sign_in_failures"):
            for row in await tx.execute(select(metadata.tables[table])):
                found += [one.hex() + one.decode("latin-1") if isinstance(one, bytes) else str(one) for one in row]
    assert found
    return "\n".join(found)
