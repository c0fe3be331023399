"""Changes by an operator at the console are in the audit trail, and the console lists them."""

import json
from typing import Any

import pytest

from tests.cloud.cli.conftest import logging_as_before
from tests.cloud.tokens.test_commands import TENANT, WHERE, Console, console

__all__ = ["console", "logging_as_before"]

WHO = ("ada@example.org", *TENANT)


def actions(console: Console, *words: str) -> list[str]:
    """Return the actions that `argus-cloud audit` lists, the newest first."""
    return [entry["action"] for entry in console.json("audit", "list", *TENANT, *words)]


def test_user_commands_of_an_operator_are_audited(console: Console) -> None:
    ada = console.json("users", "add", *WHERE, "--username", "Ada@example.org", "--role", "member")
    console.json("users", "set-roles", *WHO, "--role", "administrator")
    fresh = console.json("users", "set-password", *WHO)
    assert len(fresh["password"]) == 22
    console.json("users", "reset-second-factor", *WHO)
    console.json("users", "disable", *WHO)
    console.json("users", "enable", *WHO)
    assert actions(console, "--object", ada["id"]) == [
        "user.enable",
        "user.disable",
        "user.reset_second_factor",
        "user.set_password",
        "user.set_roles",
        "user.add",
    ]
    roles = console.json("audit", "list", *TENANT, "--action", "user.set_roles")[0]
    assert (roles["actor"], roles["metadata"]) == ("operator", {"roles": ["administrator"]})
    assert fresh["password"] not in json.dumps(console.json("audit", "list", *TENANT))


def test_signing_key_commands_are_audited_for_every_tenant(console: Console) -> None:
    kid = console.json("keys", "rotate", "--at-once")["kid"]
    console.json("keys", "withdraw", kid)
    for tenant in ("tnt_1", "tnt_2"):
        found = console.json("audit", "list", "--tenant", tenant)
        assert [(entry["action"], entry["object"]) for entry in found] == [("key.withdraw", kid), ("key.rotate", kid)]


def test_token_minted_by_an_operator_is_audited_with_its_jti(console: Console) -> None:
    console.json("apps", "add", *WHERE, "--name", "D", "--id", "app_1", "--scope", "all", "--allow-service-tokens")
    minted = console.json("tokens", "mint", *TENANT, "--app", "app_1")
    (entry,) = console.json("audit", "list", *TENANT, "--action", "app.service_token")
    assert (entry["object"], entry["metadata"]) == ("app_1", {"jti": minted["jti"]})
    assert minted["token"] not in json.dumps(entry)


@pytest.mark.parametrize(
    ("words", "count"),
    [(("--limit", "1"), 1), (("--since", "2020-01-01T00:00:00Z"), 2), (("--since", "2999-01-01T00:00:00Z"), 0)],
)
def test_audit_list_command_filters_entries_by_its_options(
    console: Console, words: tuple[str, ...], count: int
) -> None:
    for number in ("1", "2"):
        console.json("users", "add", *WHERE, "--username", f"user-{number}", "--role", "member")
    assert len(actions(console, *words)) == count


def test_audit_search_command_finds_no_entry_for_an_unknown_trace_id(console: Console) -> None:
    found: Any = console.json("audit", "search", "0" * 32, *TENANT)
    assert found == []
    code, out, _ = console.run("audit", "search", "0" * 32, *TENANT)
    assert (code, out.strip()) == (0, "Audit: none")
    assert console.run("audit", "list", *TENANT, "--since", "yesterday")[0] == 2
