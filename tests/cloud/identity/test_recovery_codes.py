"""A user without the authenticator app signs in with a recovery code, which is valid once."""

import asyncio
import re

import pytest

from cloud.access.audit import Audit, AuditEntry
from cloud.access.identity import Role
from cloud.access.identity.errors import CodeRefused, SignInThrottled
from cloud.access.identity.recovery_codes import ALPHABET, CODES, generate, read_code
from cloud.access.identity.sessions import Session
from cloud.foundation.errors import DomainError
from cloud.foundation.http import begin_trace
from tests.builders.auth_world import AuthWorld
from tests.builders.sign_in import ADA, at_the_door, everything_in, now_code, set_up, sign_in_of
from tests.harness.auth_server import AuthServer
from tests.harness.page_reader import PASSWORD, Form, Page, PageReader

CODE_FORM = "/sign-in/second-factor"
RENEWAL = "/sign-in/recovery-codes"
AUTHENTICATOR = "/sign-in/authenticator"
WRONG = "AAAA-AAAA-AAAA-AAAA"


async def code_form(server: AuthServer) -> tuple[PageReader, Form]:
    """Sign in as Ada with the password; return the browser session and the form for the second factor."""
    reader = PageReader(server)
    return reader, (await reader.follow(await reader.sign_in())).form(CODE_FORM)


async def use_code(server: AuthServer, code: str) -> Page:
    """Sign in as Ada with her password and this code as the second factor."""
    reader, form = await code_form(server)
    return await reader.submit(form, code=code)


async def trail(world: AuthWorld, action: str) -> list[AuditEntry]:
    async with world.database.read() as tx:
        return list(await Audit(world.clock).list(tx, world.home.operator, action=action))


def test_generated_recovery_codes_are_distinct_and_have_80_random_bits() -> None:
    codes = generate()
    assert len(set(codes)) == CODES == 10
    assert len(ALPHABET) == len(set(ALPHABET)) == 32
    assert all(re.fullmatch(f"([{ALPHABET}]{{4}}-){{3}}[{ALPHABET}]{{4}}", code) for code in codes)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("7KQ2-M9XD-0RTV-1H4C", "7KQ2M9XD0RTV1H4C"),
        (" 7kq2 m9xd 0rtv 1h4c\t", "7KQ2M9XD0RTV1H4C"),
        ("7KQ2M9XDoRTViH4C", "7KQ2M9XD0RTV1H4C"),
        ("7KQ2-M9XD-0RTV-lH4C", "7KQ2M9XD0RTV1H4C"),
        ("7KQ2-M9XD-0RTV-1H4", None),
        ("7KQ2-M9XD-0RTV-UH4C", None),
        ("7KQ2-M9XD-0RTV-\u0661H4C", None),
        ("123456", None),
        ("", None),
    ],
)
def test_recovery_code_is_accepted_in_any_letter_case_and_with_or_without_spaces_and_hyphens(
    typed: str, code: str | None
) -> None:
    assert read_code(typed) == code


async def test_recovery_code_is_accepted_once_instead_of_the_six_digit_code(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        _, codes = await set_up(world, PageReader(server))
        assert len(codes) == 10
        reader, form = await code_form(server)
        assert (await reader.submit(form, code=f" {codes[3].lower().replace('-', ' ')} ")).status == 303
        assert "Recovery codes left: 9" in (await reader.get("/sign-in")).text
        refused, wrong = await use_code(server, codes[3]), await use_code(server, WRONG)
        assert refused.status == wrong.status == 422
        assert refused.text == wrong.text
        assert (await use_code(server, codes[4])).status == 303


async def test_recovery_code_used_in_concurrent_requests_signs_in_once(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        _, codes = await set_up(world, PageReader(server))
        waiting = [await code_form(server) for _ in range(4)]
        pages = await asyncio.gather(*(reader.submit(form, code=codes[0]) for reader, form in waiting))
        assert sorted(page.status for page in pages) == [303, 422, 422, 422]


async def test_wrong_recovery_codes_and_wrong_six_digit_codes_count_towards_the_same_attempt_limit(
    world: AuthWorld,
) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        _, codes = await set_up(world, PageReader(server))
        reader, form = await code_form(server)
        for code in (WRONG, "000000", WRONG, "000000", WRONG):
            assert (await reader.submit(form, code=code)).status == 422
        valid, wrong = await reader.submit(form, code=codes[0]), await reader.submit(form, code=WRONG)
        assert valid.status == wrong.status == 429
        assert valid.text == wrong.text
        world.pass_time(seconds=15)
        assert (await reader.submit(form, code=codes[0])).status == 303, "the throttled attempt did not use it up"


async def test_concurrent_wrong_recovery_codes_are_limited_to_five_attempts(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        await set_up(world, PageReader(server))
        reader, form = await code_form(server)
        pages = await asyncio.gather(*(reader.submit(form, code=f"{WRONG[:-2]}{number:02}") for number in range(12)))
        assert sorted(page.status for page in pages) == [422] * 5 + [429] * 7


async def test_database_contains_no_recovery_code(world: AuthWorld) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        _, codes = await set_up(world, PageReader(server))
        stored = (await everything_in(world.database)).upper()
        assert not [code for code in codes if code in stored or code.replace("-", "") in stored]


@pytest.mark.contract("C-017")
async def test_use_and_replacement_of_recovery_codes_are_audited_without_the_codes(world: AuthWorld) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        _, codes = await set_up(world, PageReader(server))
        reader, form = await code_form(server)
        await reader.submit(form, code=WRONG)
        await reader.submit(form, code=codes[0])
        await reader.submit((await reader.get(RENEWAL)).form(RENEWAL), code=codes[1])
        used = await trail(world, "user.use_recovery_code")
        assert [(entry.outcome.value, entry.metadata) for entry in used] == [
            ("done", {"left": 8}),
            ("done", {"left": 9}),
        ]
        assert [entry.outcome.value for entry in await trail(world, "user.second_factor")] == ["refused"]
        assert [entry.outcome.value for entry in await trail(world, "user.replace_recovery_codes")] == ["done"]
        everything = str(await trail(world, "")).upper()
        assert not [code for code in codes if code in everything or code.replace("-", "") in everything]


async def test_new_recovery_codes_require_a_valid_second_factor_and_invalidate_the_earlier_codes(
    world_on_either: AuthWorld,
) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        ada = PageReader(server)
        key, codes = await set_up(world, ada)
        form = (await ada.get(RENEWAL)).form(RENEWAL)
        refused = await ada.submit(form, code=now_code(world, key))
        assert refused.status == 422, "these digits were used for the set-up"
        assert "Recovery codes left: 10" in refused.text
        world.pass_time(seconds=30)
        page = await ada.submit(form, code=now_code(world, key))
        fresh = page.told["Recovery codes"].split()
        assert (page.status, len(fresh), set(fresh) & set(codes)) == (200, 10, set())
        assert (await use_code(server, codes[0])).status == 422
        assert (await use_code(server, fresh[0])).status == 303


async def test_concurrent_requests_for_new_recovery_codes_with_the_same_second_factor_code_succeed_once(
    world_on_either: AuthWorld,
) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        ada = PageReader(server)
        _, codes = await set_up(world, ada)
        form = (await ada.get(RENEWAL)).form(RENEWAL)
        pages = await asyncio.gather(*(ada.submit(form, code=codes[0]) for _ in range(3)))
        assert sorted(page.status for page in pages) == [200, 422, 422]
        assert "Recovery codes left: 10" in (await ada.get(RENEWAL)).text


async def test_wrong_codes_on_the_page_for_new_recovery_codes_are_throttled(world: AuthWorld) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        ada = PageReader(server)
        await set_up(world, ada)
        form = (await ada.get(RENEWAL)).form(RENEWAL)
        for _ in range(5):
            assert (await ada.submit(form, code=WRONG)).status == 422
        page = await ada.submit(form, code=WRONG)
        assert (page.status, page.answered.headers["Retry-After"]) == (429, "15")
        assert "Try again in 15 seconds." in page.text


async def test_page_for_new_recovery_codes_requires_a_session_a_form_token_and_a_second_factor(
    world: AuthWorld,
) -> None:
    async with at_the_door(world) as server:
        ada = PageReader(server)
        assert (await ada.get(RENEWAL)).location == "/sign-in?next=%2Fsign-in%2Frecovery-codes"
        assert (await ada.sign_in(after=RENEWAL)).location == RENEWAL
        assert (await ada.get(RENEWAL)).location == "/sign-in", "without a second factor there are no codes"
        assert (await ada.submit(Form("post", RENEWAL, {"form_token": "x"}), code=WRONG)).status == 403
        token = (await ada.get("/sign-in")).form("/sign-out").fields["form_token"]
        assert (await ada.submit(Form("post", RENEWAL, {"form_token": token}), code=WRONG)).status == 422
        assert await trail(world, "user.replace_recovery_codes") == []


async def test_second_factor_reset_by_an_operator_removes_the_recovery_codes(world_on_either: AuthWorld) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        _, codes = await set_up(world, PageReader(server))
        user = await world.surface.users.reset_second_factor(world.home.operator, ADA)
        assert await world.surface.users.recovery_codes_left(user) == 0
        ada = PageReader(server)
        page = await ada.follow(await ada.sign_in())
        form = page.form("/sign-in/second-factor/set-up")
        assert (await ada.submit(form, code=codes[0])).status == 422, "a recovery code does not set up a factor"
        world.pass_time(seconds=30)
        fresh = (await ada.submit(form, code=now_code(world, form.fields["key"]))).told["Recovery codes"].split()
        assert (await use_code(server, codes[1])).status == 422
        assert (await use_code(server, fresh[1])).status == 303


async def test_recovery_code_of_another_user_is_rejected(world: AuthWorld) -> None:
    sign_in = sign_in_of(world)
    await world.person(ADA)
    await world.person("bo@example.org")
    sessions: list[tuple[Session, tuple[str, ...]]] = []
    for name in (ADA, "bo@example.org"):
        session = (await sign_in.attempt(name, PASSWORD, "192.0.2.1", None, begin_trace())).session
        key = "A" * 32
        made = await sign_in.set_up(session, key, now_code(world, key), begin_trace())
        session = (await sign_in.attempt(name, PASSWORD, "192.0.2.1", None, begin_trace())).session
        sessions.append((session, made.recovery_codes))
    (ada, _), (_, of_bo) = sessions
    ends: list[type[DomainError]] = []
    for _ in range(6):
        with pytest.raises((CodeRefused, SignInThrottled)) as refused:
            await sign_in.give_code(ada, of_bo[0], begin_trace())
        ends.append(refused.type)
    assert ends == [CodeRefused] * 5 + [SignInThrottled]


async def test_recovery_code_field_does_not_request_a_numeric_keyboard(world: AuthWorld) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        _, codes = await set_up(world, PageReader(server))
        ada = PageReader(server)
        page = await ada.follow(await ada.sign_in(after="/admin"))
        assert b'inputmode="numeric"' in page.answered.octets
        (link,) = [link for link in page.links if "recovery=true" in link]
        page = await ada.get(link)
        assert b"inputmode" not in page.answered.octets
        wrong = await ada.submit(page.form(CODE_FORM), code=WRONG)
        assert (wrong.status, b"inputmode" in wrong.answered.octets) == (422, False)
        assert (await ada.submit(wrong.form(CODE_FORM), code=codes[0])).location == "/admin"


async def test_authenticator_replaced_with_a_recovery_code_invalidates_earlier_codes_and_sessions(
    world_on_either: AuthWorld,
) -> None:
    world = world_on_either
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        elsewhere = PageReader(server)
        key, codes = await set_up(world, elsewhere)
        ada, form = await code_form(server)
        await ada.submit(form, code=codes[0])
        form = (await ada.get(AUTHENTICATOR)).form(AUTHENTICATOR)
        other = form.fields["key"]
        before = dict(ada.cookies)
        page = await ada.submit(form, code=now_code(world, other), current=codes[1])
        fresh = page.told["Recovery codes"].split()
        assert (page.status, len(fresh), set(fresh) & set(codes)) == (200, 10, set())
        assert ada.cookies != before
        assert "Recovery codes left: 10" in (await ada.get("/sign-in")).text
        assert "User name" in (await elsewhere.get("/sign-in")).text, "other sessions end"
        assert [entry.outcome.value for entry in await trail(world, "user.replace_second_factor")] == ["done"]
        world.pass_time(seconds=30)
        assert (await use_code(server, now_code(world, key))).status == 422
        assert (await use_code(server, codes[2])).status == 422
        assert (await use_code(server, now_code(world, other))).status == 303


async def test_authenticator_is_not_replaced_without_a_valid_current_second_factor(world: AuthWorld) -> None:
    async with at_the_door(world, role=Role.ADMINISTRATOR) as server:
        ada = PageReader(server)
        assert (await ada.get(AUTHENTICATOR)).location == "/sign-in?next=%2Fsign-in%2Fauthenticator"
        key, codes = await set_up(world, ada)
        form = (await ada.get(AUTHENTICATOR)).form(AUTHENTICATOR)
        other = form.fields["key"]
        wrong = await ada.submit(form, code="000000", current=codes[0])
        assert (wrong.status, wrong.form(AUTHENTICATOR).fields["key"]) == (422, other)
        assert "Recovery codes left: 10" in (await ada.get(RENEWAL)).text, "the new digits are verified first"
        for current in (WRONG, now_code(world, key), now_code(world, other), "", WRONG):
            assert (await ada.submit(form, code=now_code(world, other), current=current)).status == 422
        throttled = await ada.submit(form, code=now_code(world, other), current=codes[0])
        assert (throttled.status, throttled.answered.headers["Retry-After"]) == (429, "15")
        world.pass_time(seconds=30)
        assert (await use_code(server, now_code(world, key))).status == 303, "the first app still works"
        assert await trail(world, "user.replace_second_factor") == []
