"""An operator decides at the console which apps get tokens. A secret is printed once and is never an argument."""

import json
import shutil
from pathlib import Path
from typing import Any

import jwt
import pytest
from typer.testing import CliRunner

from cloud.cli import app
from tests.cloud.cli.conftest import logging_as_before

__all__ = ["logging_as_before"]  # commands in this process set up logging as in their own


class Console:
    """The command line `argus-cloud --config FILE …`, run in the test process."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run a command; return its exit code, standard output and standard error."""
        outcome = CliRunner().invoke(app, ["--config", str(self._config), *words])
        return outcome.exit_code, outcome.stdout, outcome.stderr

    def json(self, *words: str) -> Any:
        code, out, err = self.run(*words, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def console(tmp_path: Path, two_tenants: Path) -> Console:
    shutil.copytree(two_tenants, tmp_path, dirs_exist_ok=True)
    return Console(tmp_path / "cloud.toml")


TENANT = ("--tenant", "tnt_1")
WHERE = (*TENANT, "--organization", "org_1")


def test_commands_add_an_app_and_an_administrator_and_mint_and_revoke_a_token(console: Console) -> None:
    made = console.json("apps", "add", *WHERE, "--name", "Dispatch", "--id", "app_1", "--scope", "all")
    assert len(made["client_secret"]) == 43
    assert len(made["approved_scopes"]) == 17
    assert "argus:platform:admin" not in made["approved_scopes"]
    (listed,) = console.json("apps", "list", *TENANT)
    assert "client_secret" not in listed
    assert console.json("apps", "list", "--tenant", "tnt_2") == []
    rotated = console.json("apps", "rotate-secret", "app_1", *TENANT)
    assert rotated["client_secret"] != made["client_secret"]
    assert rotated["previous_secret_expires_at"].endswith("Z")
    user = console.json("users", "add", *WHERE, "--username", "Ada@example.org", "--role", "administrator")
    assert len(user["password"]) == 22
    assert "password" not in console.json("users", "list", *TENANT)[0]
    admin = ("--name", "Console", "--id", "app_admin", "--scope", "argus:platform:admin", "--allow-service-tokens")
    console.json("apps", "add", *TENANT, *admin)
    minted = console.json("tokens", "mint", *TENANT, "--app", "app_admin", "--user", "ada@example.org")
    claims = jwt.decode(minted["token"], options={"verify_signature": False})
    assert (claims["sub"], claims["scope"], claims["token_use"]) == (user["id"], "argus:platform:admin", "service")
    assert (claims["iss"], claims["organization_id"]) == ("http://localhost:1", "org_1")
    assert console.json("tokens", "revoke", minted["jti"], *TENANT)["revoked"] is True
    assert console.json("tokens", "revoke", minted["jti"], *TENANT)["revoked"] is False
    trail = [
        (one["actor"], one["object"]) for one in console.json("audit", "list", *TENANT, "--action", "token.revoke")
    ]
    assert trail == [("operator", minted["jti"])]
    assert [key["state"] for key in console.json("keys", "list")] == ["current", "next"]
    for word, scopes in (("approve", ("--scope", "argus:jobs:read")), ("govern", ("--service-tokens",))):
        changed = console.json("apps", word, "app_1", *TENANT, *scopes)
    assert (changed["approved_scopes"], changed["governance"]["allow_service_tokens"]) == (["argus:jobs:read"], True)
    assert changed["governance"]["enforce_pkce"] is True
    withheld = console.json("apps", "withhold", *TENANT, "--scope", "argus:jobs:read")["withheld"]
    assert withheld == ["argus:jobs:read", "argus:jobs:write"], "writing would give the reading"
    (listed,) = [one for one in console.json("apps", "list", *TENANT) if one["client_id"] == "app_1"]
    assert listed["approved_scopes"] == []
    (entry,) = [one for one in console.json("audit", "list", *TENANT) if one["action"] == "tenant.withhold"]
    assert (entry["object"], entry["metadata"]) == ("tnt_1", {"scopes": ["argus:jobs:read"]})
    assert console.json("users", "disable", "ada@example.org", *TENANT)["disabled_at"] is not None
    assert console.json("users", "enable", "ada@example.org", *TENANT)["disabled_at"] is None
    assert console.json("apps", "remove", "app_1", *TENANT)["removed"] is True


def test_command_output_states_that_a_secret_is_shown_only_once(console: Console) -> None:
    said = console.run("apps", "add", *WHERE, "--name", "Dispatch", "--id", "app_1", "--scope", "argus:jobs:read")[1]
    assert "shown only once" in said
    assert "app_1" in console.run("apps", "list", *TENANT)[1]
    assert console.run("keys", "list")[1] == "Signing keys: none\n"
    assert console.run("users", "list", *TENANT)[1] == "Users: none\n"


def test_refused_command_prints_a_sentence_with_the_reason(console: Console, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("short\n")
    user = ("users", "add", *WHERE, "--username", "ada@example.org", "--role", "administrator")
    console.json("apps", "add", *WHERE, "--name", "Dispatch", "--id", "app_1", "--scope", "all")
    for words, sentence in (
        ((*user, "--password-file", str(password)), "12 to 256 characters"),
        (("apps", "add", *WHERE, "--name", "x", "--scope", "argus:job:read"), "Did you mean argus:jobs:read?"),
        (("apps", "rotate-secret", "app_none", *TENANT), "no app 'app_none'"),
        (("apps", "remove", "app_1", "--tenant", "tnt_2"), "no app 'app_1' in tenant tnt_2"),
        (("tokens", "mint", *TENANT, "--app", "app_1"), "does not allow service tokens"),
        (("tokens", "mint", *TENANT, "--app", "app_none"), "no app 'app_none'"),
        (("keys", "withdraw", "kid"), "Signing key not found"),
        (("init-secrets",), "A master key file exists"),
    ):
        code, out, err = console.run(*words)
        assert (code, out, err.count("\n")) == (1, "", 1), words
        assert sentence in err


def test_error_of_the_mint_command_without_a_master_key_names_the_init_secrets_command(
    console: Console, tmp_path: Path
) -> None:
    admin = ("--name", "Console", "--id", "app_1", "--scope", "argus:jobs:read", "--allow-service-tokens")
    console.json("apps", "add", *TENANT, *admin)
    (tmp_path / "master.key").unlink()
    assert "init-secrets" in console.run("tokens", "mint", *TENANT, "--app", "app_1")[2]
    assert console.json("init-secrets")["master_key_file"] == str(tmp_path / "master.key")
    assert console.json("tokens", "mint", *TENANT, "--app", "app_1")["scope"] == "argus:jobs:read"
