"""Users sign in on the auth host with a password, and with a second factor where required; guessing is limited."""

import asyncio

import pytest

from cloud.access.audit import Audit
from cloud.access.identity import Role
from cloud.access.identity.errors import SignInRefused, SignInThrottled
from cloud.access.identity.sign_in import SecondFactorPolicy
from cloud.foundation.errors import DomainError
from cloud.foundation.trace import begin_trace
from tests.builders.auth_world import AuthWorld
from tests.builders.sign_in import ADA, at_the_door, everything_in, now_code, set_up, sign_in_of
from tests.harness.auth_server import auth_server
from tests.harness.page_reader import PASSWORD, Page, PageReader

ADMIN = "/admin"
AUTHORIZE = "/v1/oauth/authorize?client_id=app_north&response_type=code"


async def test_user_signs_in_and_out(world_on_either: AuthWorld) -> None:
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
async def test_unknown_user_name_and_wrong_password_show_the_same_error(
    world: AuthWorld, username: str, password: str
) -> None:
    async with at_the_door(world) as server:
        page = await PageReader(server).sign_in(username, password=password)
        assert page.status == 422
        assert "The user name or the password is wrong." in page.text
        assert password not in page.text or not password


async def test_session_cookie_has_the_host_prefix_and_the_http_only_attribute(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        page = await PageReader(server).sign_in()
        (cookie,) = [line for line in page.answered.headers.getall("Set-Cookie") if "session" in line]
        assert cookie.startswith("__Host-argus_session=")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


@pytest.mark.contract("S-027")
async def test_database_contains_no_cookie_value(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        ada = PageReader(server)
        await ada.sign_in()
        stored = await everything_in(world.database)
        for value in ada.cookies.values():
            assert value not in stored


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "/v1/oauth/authorize.evil", "/sign-in"]
)
async def test_sign_in_form_does_not_redirect_to_another_site(world: AuthWorld, onward: str) -> None:
    async with at_the_door(world) as server:
        assert (await PageReader(server).sign_in(after=onward)).location == "/sign-in"


async def test_sign_in_form_redirects_to_the_page_requested_before_sign_in(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        assert (await PageReader(server).sign_in(after=AUTHORIZE)).location == AUTHORIZE


@pytest.mark.contract("S-015")
async def test_sign_in_form_from_another_origin_or_browser_is_rejected(world: AuthWorld) -> None:
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
async def test_repeated_wrong_passwords_are_throttled_with_a_retry_after_time(world_on_either: AuthWorld) -> None:
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
async def test_failed_sign_ins_from_another_browser_do_not_lock_out_a_user_in_their_own_browser(
    world: AuthWorld,
) -> None:
    async with at_the_door(world) as server:
        ada, stranger = PageReader(server), PageReader(server)
        await ada.sign_in()
        await ada.submit((await ada.get("/sign-in")).form("/sign-out"))
        await guess(stranger, 5)
        assert (await stranger.sign_in()).status == 429
        assert (await ada.sign_in()).status == 303


async def test_sign_in_attempts_with_unknown_and_existing_user_names_are_throttled_alike(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        stranger = PageReader(server)
        for _ in range(5):
            assert (await stranger.sign_in("nobody@example.org")).status == 422
        assert (await stranger.sign_in("nobody@example.org")).status == 429


async def test_session_expires_after_one_hour_without_use_and_after_twelve_hours_of_use(world: AuthWorld) -> None:
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
async def test_session_of_a_user_ends_immediately_when_the_user_is_disabled(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        ada = PageReader(server)
        await ada.sign_in()
        await world.disable(ADA)
        assert "User name" in (await ada.get("/sign-in")).text
        assert (await ada.sign_in()).status == 422


async def test_administrator_without_a_second_factor_is_redirected_to_the_set_up_page_at_sign_in(
    world_on_either: AuthWorld,
) -> None:
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
        assert (done.status, done.links[-1]) == (200, ADMIN), "after the recovery codes"
        assert ada.cookies != before, "what was known before the second factor opens nothing after it"


async def test_second_factor_code_is_required_at_sign_in_and_accepted_once(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        key, _ = await set_up(world, PageReader(server))
        ada = PageReader(server)
        page = await ada.follow(await ada.sign_in())
        form = page.form("/sign-in/second-factor")
        assert (await ada.submit(form, code=now_code(world, key))).status == 422, "it was used for the set-up"
        assert (await ada.get("/sign-in")).status == 303, "the password alone opens nothing"
        world.pass_time(seconds=30)
        assert (await ada.submit(form, code=f" {now_code(world, key)[:3]} {now_code(world, key)[3:]}")).status == 303
        assert "Signed in" in (await ada.get("/sign-in")).text


async def test_second_factor_codes_are_throttled_after_five_wrong_codes(world: AuthWorld) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        key, _ = await set_up(world, PageReader(server))
        ada = PageReader(server)
        form = (await ada.follow(await ada.sign_in())).form("/sign-in/second-factor")
        world.pass_time(seconds=30)
        for _ in range(5):
            assert (await ada.submit(form, code="000000")).status == 422
        assert (await ada.submit(form, code=now_code(world, key))).status == 429
        world.pass_time(seconds=30)
        assert (await ada.submit(form, code=now_code(world, key))).status == 303


@pytest.mark.finding("cloud-5")
async def test_concurrent_second_factor_attempts_are_limited_to_five(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        await set_up(world, PageReader(server))
        ada = PageReader(server)
        form = (await ada.follow(await ada.sign_in())).form("/sign-in/second-factor")
        world.pass_time(seconds=30)
        pages = await asyncio.gather(*(ada.submit(form, code=f"{number:06}") for number in range(30)))
        assert sorted(page.status for page in pages) == [422] * 5 + [429] * 25


@pytest.mark.finding("cloud-5")
async def test_concurrent_password_attempts_at_sign_in_are_limited_to_five(world_on_either: AuthWorld) -> None:
    async with at_the_door(world_on_either) as server:
        guessers = [PageReader(server) for _ in range(12)]
        pages = await asyncio.gather(*(guesser.sign_in(password="wrong horse battery") for guesser in guessers))
        assert sorted(page.status for page in pages) == [422] * 5 + [429] * 7


@pytest.mark.finding("cloud-5")
async def test_concurrent_password_changes_with_a_wrong_current_password_are_limited_to_five(
    world_on_either: AuthWorld,
) -> None:
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


async def test_second_factor_key_is_stored_encrypted(world: AuthWorld) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        key, _ = await set_up(world, PageReader(server))
        assert key not in await everything_in(world.database)


async def test_second_factor_policy_can_require_a_second_factor_from_every_user_or_from_no_user(
    world: AuthWorld,
) -> None:
    async with at_the_door(world, policy=SecondFactorPolicy.EVERYBODY) as server:
        assert "set-up" in (await PageReader(server).sign_in()).location
    surface = world.another_process(SecondFactorPolicy.OPTIONAL)
    await surface.start()
    async with auth_server(world, surface=surface) as server:
        assert (await PageReader(server).sign_in()).location == "/sign-in"


@pytest.mark.contract("C-017")
async def test_successful_and_failed_sign_ins_of_known_users_are_audited(world: AuthWorld) -> None:
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
async def test_sign_in_pages_are_shown_in_the_accepted_language_or_in_english(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        page = await PageReader(server, "pl-PL,pl;q=0.9,en;q=0.5").get("/sign-in")
        assert "Nazwa użytkownika" in page.text
        assert page.answered.headers["Content-Language"] == "pl"
        assert "User name" in (await PageReader(server, "pl").get("/sign-in?lang=en")).text
        assert "User name" in (await PageReader(server, "de, fr;q=0.1").get("/sign-in")).text


@pytest.mark.contract("S-144")
async def test_passwords_and_second_factor_keys_and_cookies_are_not_logged(
    world: AuthWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        ada = PageReader(server)
        key, codes = await set_up(world, ada)
        await PageReader(server).sign_in(password="wrong horse battery")
        written = "".join(capsys.readouterr())
        for secret in (PASSWORD, "wrong horse battery", key, *codes, *ada.cookies.values()):
            assert secret not in written
