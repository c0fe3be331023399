"""An operator lists and removes webhooks and replays deliveries at the console; the audit trail names the operator."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud.access.audit import Audit
from cloud.cli import app
from cloud.foundation.db import Database, open_database
from cloud.foundation.viewer import Actor
from tests.builders.cloud_people import HandClock
from tests.builders.cloud_settings import settings_file
from tests.builders.webhook_surface import webhook_surface
from tests.cloud.cli.conftest import logging_as_before
from tests.harness.receiver import receiving

__all__ = ["logging_as_before"]

TENANT = ("--tenant", "tnt_north")


class Terminal:
    """The command line `argus-cloud webhooks …`, run on a database that already has webhooks and deliveries."""

    def __init__(self, config: Path, url: str) -> None:
        self._config = config
        self._url = url

    def run(self, *words: str) -> tuple[int, str, str]:
        whose = () if words[0] == "keys" else TENANT
        done = CliRunner().invoke(app, ["--config", str(self._config), "webhooks", *words, *whose])
        return done.exit_code, done.stdout, done.stderr

    def json(self, *words: str) -> Any:
        code, out, err = self.run(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def refused(self, *words: str) -> str:
        code, out, err = self.run(*words)
        assert (code, out) == (1, "")
        return err

    def audited(self) -> list[tuple[str, str, str]]:
        """Return actor, action and object of each audit entry, the oldest first."""

        async def read(database: Database) -> list[tuple[str, str, str]]:
            async with database.read() as tx:
                entries = await Audit(HandClock()).list(tx, Actor.operator("tnt_north"))
            return [(entry.actor, entry.action, entry.object) for entry in reversed(entries)]

        return asyncio.run(with_database(self._url, read))


async def with_database(url: str, work: Callable[[Database], Awaitable[Any]]) -> Any:
    database = await open_database(url)
    try:
        return await work(database)
    finally:
        await database.close()


async def a_story(database: Database) -> str:
    """Create a webhook whose three deliveries failed; return its id."""
    async with receiving(always=410) as receiver, webhook_surface(database, receiver) as here:
        made = await here.create("incident.created", url=receiver.url("/terminal"))
        for number in range(3):
            await here.dispatch(f"cad_{number}")
        await here.story.turn()
        return str(made["id"])


@pytest.fixture
def told(database_url: str, tmp_path: Path) -> tuple[Terminal, str]:
    key = tmp_path / "master.key"
    key.touch(0o600)
    key.write_text(base64.b64encode(bytes(range(32))).decode())
    config = settings_file(tmp_path, database_url=database_url, more=f'[secrets]\nmaster_key_file = "{key}"\n')
    webhook_id = asyncio.run(with_database(database_url, a_story))
    return Terminal(config, database_url), webhook_id


@pytest.mark.contract("C-017", "C-089", "C-090")
def test_webhooks_commands_list_and_replay_the_failed_deliveries_of_a_webhook(told: tuple[Terminal, str]):
    terminal, webhook_id = told
    (listed,) = terminal.json("list")
    assert (listed["id"], listed["status"], listed["disabled_reason"]) == (webhook_id, "disabled", "gone")
    assert terminal.json("show", webhook_id) == listed
    assert "/terminal" in terminal.run("show", webhook_id)[1]
    deliveries = terminal.json("deliveries", webhook_id)
    assert {one["error_code"] for one in deliveries} <= {"gone", "endpoint_disabled"}
    assert terminal.json("deliveries", webhook_id, "--status", "succeeded") == []
    since = ("--failed-since", "2026-03-24T00:00:00Z")
    assert "Enable it first" in terminal.refused("replay", webhook_id, *since)
    assert terminal.json("enable", webhook_id)["status"] == "active"
    assert terminal.json("replay", webhook_id, *since)["queued"] == 3
    one = terminal.json("replay", webhook_id, "--delivery", deliveries[0]["id"])
    assert (one["mode"], one["queued"]) == ("one", 1)
    assert "takes one of delivery_id" in terminal.refused("replay", webhook_id)
    assert terminal.json("test", webhook_id)["delivery_id"].startswith("dlv_test_")
    did = [action for actor, action, object in terminal.audited() if (actor, object) == ("operator", webhook_id)]
    assert did == ["webhook.enable", "webhook.replay", "webhook.replay", "webhook.test"]


@pytest.mark.contract("C-017", "C-086", "A-064")
def test_webhooks_commands_disable_and_remove_a_webhook(told: tuple[Terminal, str]):
    terminal, webhook_id = told
    terminal.json("enable", webhook_id)
    stopped = terminal.json("disable", webhook_id)
    assert (stopped["status"], stopped["disabled_reason"]) == ("disabled", "by_owner")
    assert "removed" in terminal.run("remove", webhook_id)[1]
    assert "Webhook not found" in terminal.refused("remove", webhook_id)
    assert terminal.json("list") == []
    assert ("operator", "webhook.remove", webhook_id) in terminal.audited()


@pytest.mark.contract("C-017", "A-065")
def test_key_rotation_command_is_refused_until_the_next_key_was_published_long_enough(told: tuple[Terminal, str]):
    terminal, _ = told
    before = {key["state"]: key["kid"] for key in terminal.json("keys", "list")}
    assert set(before) == {"current", "next"}
    # The story's clock is in the past: by the machine's clock the next key was published long enough ago.
    rotated = terminal.json("keys", "rotate")
    assert (rotated["kid"], rotated["state"]) == (before["next"], "current")
    assert "published too recently" in terminal.refused("keys", "rotate")
    assert terminal.json("keys", "rotate", "--at-once")["state"] == "current"
    stages = [key["state"] for key in terminal.json("keys", "list")]
    assert stages == ["next", "current", "retired", "retired"]
    assert next(did for did in terminal.audited() if did[1] == "webhook_key.rotate") == (
        "operator",
        "webhook_key.rotate",
        before["next"],
    )
