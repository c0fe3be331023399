"""Keys of the tablets' queues, and the shell that a tablet keeps: what the gateway gives, and to whom."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.crew.pages import Pages
from gateway.crew.shell import STATIC_FILES, TEXT_PARTS, WORKER_PATH, Shell
from gateway.crew.tablet_queue import TabletQueueKeys
from tests.harness.crew_app import PARAMEDIC, PIN, STORE_KEY
from tests.harness.report_tablets import MEMBERS, NURSE, STUDENT, ReportVehicle, report_vehicle

pytestmark = pytest.mark.asyncio(loop_scope="session")

SALT, OTHER_SALT = "0f" * 16, "f0" * 16
STATIC = Path(__file__).parents[3] / "gateway" / "crew" / "static"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def vehicle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReportVehicle]:
    async with report_vehicle(tmp_path_factory.mktemp("vehicle")) as served:
        yield served


async def test_key_of_a_queue_is_that_of_one_member_and_one_tablet_of_one_vehicle(vehicle: ReportVehicle):
    async with vehicle.tablet() as anna, vehicle.tablet(NURSE) as ewa:
        given = [(await tablet.get(f"/queue/{salt}/key")).body for tablet in (anna, ewa) for salt in (SALT, OTHER_SALT)]
    assert all(len(base64.b64decode(each["key"])) == 32 for each in given)
    other_vehicle = TabletQueueKeys(b"o" * 32, dict)
    keys = [each["key"] for each in given] + [base64.b64encode(other_vehicle.key(PARAMEDIC.id, SALT)).decode()]
    owners = [each["owner"] for each in given] + [other_vehicle.owner(PARAMEDIC.id, SALT)]
    assert len(set(keys)) == len(set(owners)) == 5


async def test_new_pin_does_not_change_the_key_of_a_queue():
    member = replace(PARAMEDIC, pin="000000")
    before, after = (TabletQueueKeys(STORE_KEY, lambda each=each: {each.id: each}) for each in (PARAMEDIC, member))
    assert before.key(PARAMEDIC.id, SALT) == after.key(member.id, SALT)


async def test_key_is_given_only_to_a_member_who_may_write(vehicle: ReportVehicle):
    async with vehicle.tablet(None) as vehicle_pin, vehicle.tablet(STUDENT) as student:
        assert (await vehicle_pin.get(f"/queue/{SALT}/key")).status == 401
        assert (await vehicle_pin.get(f"/queue/{SALT}/owners")).status == 401
        await vehicle_pin.session.post(f"{vehicle.url}/sign-in", data={"pin": PIN}, allow_redirects=False)
        assert (await vehicle_pin.get(f"/queue/{SALT}/key")).status == 401
        assert (await student.get(f"/queue/{SALT}/key")).status == 200


async def test_owners_of_entries_are_named_where_the_vehicle_knows_them(vehicle: ReportVehicle):
    async with vehicle.tablet() as anna:
        own = (await anna.get(f"/queue/{SALT}/key")).body["owner"]
        named = (await anna.get(f"/queue/{SALT}/owners")).body
    assert named[own] == PARAMEDIC.name
    assert sorted(named.values()) == sorted(each.name for each in MEMBERS)


@pytest.mark.parametrize("salt", ["1", "0F" * 16, "0f" * 17], ids=["short", "upper case", "long"])
async def test_salt_that_no_tablet_chose_gets_no_key(vehicle: ReportVehicle, salt: str):
    async with vehicle.tablet() as anna:
        assert (await anna.get(f"/queue/{salt}/key")).status == 404


async def test_worker_names_the_hash_of_each_file_of_the_shell_as_it_is_served(vehicle: ReportVehicle):
    async with vehicle.tablet(None) as stranger:
        worker = (await stranger.get(WORKER_PATH)).body
        found = re.match(r"const SHELL = (\{.*\});\n", worker)
        assert found is not None
        files = json.loads(found[1])["files"]
        for path, integrity in files.items():
            async with stranger.session.get(f"{vehicle.url}{path}") as reply:
                assert reply.status == 200, path
                content = await reply.read()
            assert integrity == f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"
            assert not [each.name for each in MEMBERS if each.name.encode() in content]


async def test_shell_has_every_file_that_its_files_load(vehicle: ReportVehicle):
    async with vehicle.tablet(None) as stranger:
        page = (await stranger.get("/shell")).body
    scripts = "".join((STATIC / name).read_text() for name in STATIC_FILES if name.endswith(".js"))
    loaded = re.findall(r'(?:href|src)="/static/([^"]+)"', page) + re.findall(
        r'(?:from|import\() ?"\./([^"]+)"', scripts
    )
    assert set(loaded) <= set(STATIC_FILES)
    code = re.sub(r"^//.*$", "", scripts, flags=re.MULTILINE)
    assert set(re.findall(r'texts\("(\w+)"\)', code)) <= set(TEXT_PARTS)


async def test_changed_file_changes_the_version_of_the_shell(tmp_path: Path):
    static = tmp_path / "static"
    shutil.copytree(STATIC, static)
    pages = Pages("AMB-42", 300.0)
    before = Shell(pages, static).version
    assert Shell(pages, static).version == before
    (static / "crew.css").write_text("/* another release */")
    assert Shell(pages, static).version != before
