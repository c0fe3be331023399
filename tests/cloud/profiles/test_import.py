"""Profiles are imported in chunks, each as a whole, and removed with their enrichments."""

import json
from pathlib import Path

import orjson
import pytest

from cloud.access.tenancy import OrganizationUnknown
from cloud.clinical.profiles import service as service_module
from cloud.clinical.profiles.errors import ProfilesUnreadable, ProfileUnknown
from cloud.clinical.profiles.service import LINE_BYTES_MAX, Profiles
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from tests.builders.cloud_people import HandClock, household
from tests.cloud.cli.conftest import logging_as_before
from tests.cloud.tokens.test_commands import TENANT, WHERE, Console, console

__all__ = ["console", "logging_as_before"]

CLOCK = HandClock()


def line(number: int, **more: object) -> bytes:
    return orjson.dumps({"reference": f"CRM-{number}", "kind": "person", "names": [f"Examplo {number}"], **more})


def service_on(database: Database) -> Profiles:
    return Profiles(database, CLOCK, UlidIds(CLOCK))


async def test_chunk_with_a_problem_is_not_stored_and_the_others_are(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, profiles = await household(database, CLOCK), service_on(database)
    monkeypatch.setattr(service_module, "CHUNK_PROFILES", 2)
    lines = [line(1), line(2), line(3), line(4, kind="robot"), b"\n", line(5)]
    done = await profiles.import_profiles(home.operator, home.organization.id, lines)
    assert (done.stored, done.left_out, [one.line for one in done.problems]) == (3, 2, [4])
    assert "robot" not in done.problems[0].text
    found = await profiles.list(home.operator, count=10)
    assert [one.reference for one in found] == ["CRM-5", "CRM-2", "CRM-1"]


async def test_profile_with_a_known_reference_is_replaced_and_keeps_its_id(database: Database) -> None:
    home, profiles = await household(database, CLOCK), service_on(database)
    await profiles.import_profiles(home.operator, home.organization.id, [line(1)])
    (before,) = await profiles.list(home.operator, count=10)
    await profiles.import_profiles(
        home.operator, home.organization.id, [line(1, names=["Another"], secrecy_level="secret")]
    )
    (after,) = await profiles.list(home.operator, count=10)
    assert (after.id, after.names, after.secrecy_level.word) == (before.id, ("Another",), "secret")
    with pytest.raises(ProfileUnknown):
        await profiles.read(home.viewer, after.id)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"names": []}, "has names"),
        ({"kind": "wallet"}, "asset and address"),
        ({"address": "1Synthetic"}, "no address"),
        ({"birth_date": "Dec 1948"}, "is a date"),
        ({"reference": "a\u202eb"}, "hidden character"),
        ({"unheard": 1}, "unheard"),
        ({"names": ["x"] * 33}, "names"),
    ],
)
async def test_unusable_profile_is_a_problem_with_its_line(
    database: Database, fields: dict[str, object], part: str
) -> None:
    home, profiles = await household(database, CLOCK), service_on(database)
    done = await profiles.import_profiles(home.operator, home.organization.id, [line(1, **fields)])
    assert [(one.line, part in one.text) for one in done.problems] == [(1, True)]


async def test_unreadable_file_or_unknown_organisation_is_refused(database: Database) -> None:
    home, profiles = await household(database, CLOCK), service_on(database)
    with pytest.raises(ProfilesUnreadable, match="Line 1 has more than"):
        await profiles.import_profiles(home.operator, home.organization.id, [b"x" * (LINE_BYTES_MAX + 1)])
    with pytest.raises(OrganizationUnknown):
        await profiles.import_profiles(home.operator, "org_absent", [line(1)])
    done = await profiles.import_profiles(home.operator, home.organization.id, [b"not JSON"])
    assert [one.line for one in done.problems] == [1]


def test_profiles_are_imported_shown_and_removed_at_the_console(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "profiles.jsonl"
    path.write_bytes(line(1) + b"\n" + line(2) + b"\n")
    assert console.json("profiles", "import", str(path), *WHERE) == {"stored": 2, "left_out": 0}
    newest, _ = console.json("profiles", "list", *TENANT)
    code, out, _ = console.run("profiles", "show", newest["id"], *TENANT)
    assert (code, json.loads(out)["enrichment"]) == (0, None)
    console.json("profiles", "remove", newest["id"], *TENANT)
    assert len(console.json("profiles", "list", *TENANT)) == 1
    trail = console.json("audit", "list", *TENANT, "--action", "profile.remove")
    assert [one["object"] for one in trail] == [newest["id"]]
    path.write_bytes(b"{}")
    code, _, err = console.run("profiles", "import", str(path), *WHERE)
    assert code == 1
    assert "- line 1: " in err
