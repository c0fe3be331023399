"""The SDKs for Python and TypeScript have one surface: the same groups, methods, errors and limits."""

import inspect
import json
import re
from typing import Any

import pytest

from argus_sdk import api, errors, transport, webhooks
from argus_sdk.client import AccessToken, Argus
from argus_sdk.operations.group import Group
from argus_sdk.verify.files import FILE_BYTES_MAX
from tests.harness.typescript_sdk import FOLDER, run_script, shared_project
from tests.tidy.sources import ROOT

OF_NODE = {"downloadFhir": ("encounters", "download_fhir"), "downloadJobResult": ("jobs", "download_result")}
"""Functions of `argus-sdk/node`, since a browser has no files → the group and the method in Python."""
ONLY_PYTHON = {"close"}
"""`fetch` has no connections of its own to close."""
ONLY_TYPESCRIPT = {"linked"}
"""It serves `fhirParts`; `Encounters.fhir_parts` has a method of `Api` for it."""


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = run_script(shared_project(tmp_path_factory), "surface.mjs", None)
    return found


@pytest.fixture(scope="module")
def argus() -> Argus:
    return Argus(auth_url="https://auth.example.org", api_url="https://api.example.org", tokens=AccessToken("t"))


def in_snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def methods_of(value: object) -> set[str]:
    return {name for name, _ in inspect.getmembers(value, inspect.ismethod) if not name.startswith("_")}


def test_sdks_have_the_same_groups_and_methods(typescript: dict[str, Any], argus: Argus) -> None:
    ours = {name: methods_of(group) for name, group in vars(argus).items() if isinstance(group, Group)}
    theirs = {name: {in_snake_case(one) for one in methods} for name, methods in typescript["groups"].items()}
    # A private method of TypeScript is visible at run time.
    theirs["discovery"] -= {"document"}
    assert set(typescript["node"]) == OF_NODE.keys()
    for group, method in OF_NODE.values():
        theirs[group].add(method)
    assert theirs == ours
    client = {in_snake_case(one) for one in typescript["client"]}
    assert client - ONLY_TYPESCRIPT == methods_of(argus) - ONLY_PYTHON


def test_sdks_have_the_same_errors(typescript: dict[str, Any]) -> None:
    ours = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert set(typescript["errors"]) == ours


def test_sdks_have_the_same_limits(typescript: dict[str, Any]) -> None:
    assert typescript["limits"] == {
        "document_bytes": transport.DOCUMENT_BYTES_MAX,
        "error_bytes": transport.ERROR_BYTES_MAX,
        "silence_s": transport.TIMEOUT_S,
        "call_s": transport.CALL_LIMIT_S,
        "sends": transport.ATTEMPTS_MAX,
        "pause_s": transport.RETRY_AFTER_S_MAX,
        "pages": api.PAGES_MAX,
        "tolerance_s": webhooks.TOLERANCE_S,
        "signatures": webhooks.SIGNATURES_MAX,
        "secret_bytes": webhooks.SECRET_BYTES_MIN,
        "transcript_bytes": FILE_BYTES_MAX,
    }


LICENCE = (
    "No licence has been chosen yet. Before you use, copy or distribute this software, "
    "contact the owner of the repository."
)


def test_both_packages_the_page_and_the_guide_say_the_same_about_the_licence() -> None:
    guides = ROOT / "cloud" / "partners" / "docs" / "guides"
    for text in (
        ROOT / "README.md",
        ROOT / "sdk" / "python" / "README.md",
        FOLDER / "README.md",
        FOLDER / "page" / "argus-verify.html",
        guides / "en" / "first-call.md",
    ):
        assert LICENCE in re.sub(r"\s+", " ", text.read_text()), text
    assert json.loads((FOLDER / "package.json").read_text())["license"] == "SEE LICENSE IN README.md"
    assert "license" not in (ROOT / "sdk" / "python" / "pyproject.toml").read_text()


def test_sdks_have_one_version() -> None:
    newest = [
        re.findall(r"(?m)^## (\S+)", (folder / "CHANGELOG.md").read_text())[0]
        for folder in (FOLDER, ROOT / "sdk" / "python")
    ]
    assert set(newest) == {json.loads((FOLDER / "package.json").read_text())["version"]}
    guides = ROOT / "cloud" / "partners" / "docs" / "guides"
    for text in (guides / "en" / "first-call.md", guides / "pl" / "first-call.md"):
        assert re.findall(r"argus-sdk-(\d+\.\d+\.\d+)\.tgz", text.read_text()) == newest[:1], text
