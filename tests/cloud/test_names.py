"""A name or description with a hidden or confusable character is refused, and the error names the character."""

import pytest

from cloud.access.tenancy import Tenancy
from cloud.clinical.devices import Enrolment
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import UlidIds
from tests.builders.auth_world import AuthWorld, auth_world
from tests.builders.cloud_people import HandClock, household
from tests.builders.webhook_surface import TARGET, webhook_surface

EITHER = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def world(database: Database) -> AuthWorld:
    return await auth_world(database)


@EITHER
@pytest.mark.finding("security-low-names")
@pytest.mark.parametrize(
    ("username", "named"),
    [
        pytest.param("ada\u202e@example.org", "U+202E", id="bidi"),
        pytest.param("a\u200bda@example.org", "U+200B", id="zero width"),
        pytest.param("\u0430da@example.org", "U+0430 CYRILLIC SMALL LETTER A", id="cyrillic"),
        pytest.param("ad\u03b1", "U+03B1 GREEK SMALL LETTER ALPHA", id="greek"),
        pytest.param("adm\u0131n", "U+0131 LATIN SMALL LETTER DOTLESS I", id="dotless i"),
        pytest.param("a\u0301\u0335da", "U+0335", id="combining stroke"),
    ],
)
async def test_user_name_with_hidden_or_confusable_characters_is_refused(
    world: AuthWorld, username: str, named: str
) -> None:
    with pytest.raises(DomainError) as raised:
        await world.person(username)
    assert raised.value.code == "username_malformed"
    assert named in raised.value.sentence


@EITHER
@pytest.mark.finding("security-low-names")
async def test_user_names_that_differ_only_in_letter_case_or_unicode_form_are_the_same(world: AuthWorld) -> None:
    assert (await world.person("Józef@example.org")).username == "józef@example.org"
    for same in ("JÓZEF@example.org", "Jo\u0301zef@example.org", "\uff2aózef@example.org"):
        with pytest.raises(DomainError) as raised:
            await world.person(same)
        assert raised.value.code == "identifier_taken", same


@EITHER
@pytest.mark.finding("security-low-descriptions")
@pytest.mark.parametrize("text", ["one\r\ntwo", "one\u202etwo"])
async def test_webhook_description_with_a_line_break_or_hidden_character_is_refused(
    database: Database, text: str
) -> None:
    async with webhook_surface(database) as here:
        answer = await here.ask("POST", body={"url": TARGET, "events": ["incident.updated"], "description": text})
        assert (answer.status_code, answer.json()["code"]) == (422, "description_malformed")
        assert "U+" in answer.json()["detail"]
        made = await here.create(description="Case sync")
        changed = await here.ask("PUT", f"/{made['id']}", {"description": text})
        assert (changed.status_code, changed.json()["code"]) == (422, "description_malformed")


@EITHER
async def test_error_for_a_tenant_or_device_text_contains_the_code_point_of_the_refused_character(
    database: Database,
) -> None:
    clock = HandClock()
    home = await household(database, clock)
    with pytest.raises(DomainError, match=r"U\+202E") as raised:
        await Tenancy(database, clock, UlidIds(clock)).add_tenant("No\u202ert")
    assert raised.value.code == "name_malformed"
    with pytest.raises(DomainError, match=r"U\+200B") as raised:
        await Enrolment(database, clock, UlidIds(clock)).enrol(
            home.viewer,
            organization_id=home.organization.id,
            serial_number="SN\u200b1",
            device_class="oximeter",
            manufacturer="Synthetic Medical",
        )
    assert raised.value.code == "device_text_malformed"
