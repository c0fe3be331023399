"""Every installed package, and the build backend, is pinned to a version and has hashes for every platform."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tidy.sources import ROOT

pytestmark = pytest.mark.finding("security-low-hashes")
FOLDER = ROOT / "requirements"
NAMES = ("run", "demo", "test")
EXTRAS = {"run": ("uvloop",), "demo": ("uvloop", "demo"), "test": ("uvloop", "demo", "dev")}


@cache
def pins(name: str) -> Mapping[str, str]:
    """Map each package in a requirements file to its version."""
    found = {}
    for entry in entries(name):
        requirement = Requirement(entry.partition("\\")[0].partition(" --hash")[0].strip())
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        found[canonicalize_name(requirement.name)] = specifier.version
    return found


def entries(name: str) -> list[str]:
    """Return the entry of each package in a requirements file: its line, and the lines of its hashes."""
    text = (FOLDER / f"{name}.txt").read_text()
    return [entry for entry in re.split(r"\n(?=\S)", text) if entry.strip()]


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_has_a_version_and_hashes_and_no_url(name: str) -> None:
    assert pins(name)
    for entry in entries(name):
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}(?= |$)", entry, re.M), entry[:60]
    assert "://" not in (FOLDER / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_pinned_versions_satisfy_the_version_specifiers_of_the_project(name: str) -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *about["build-system"]["requires"],
        *about["project"]["dependencies"],
        *(one for extra in EXTRAS[name] for one in about["project"]["optional-dependencies"][extra]),
    ]
    for text in wanted:
        requirement = Requirement(text)
        version = pins(name).get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is missing: run `make requirements`"
        assert requirement.specifier.contains(version, prereleases=True), f"{text}: run `make requirements`"


def test_run_and_demo_requirements_have_the_versions_of_the_test_requirements() -> None:
    for name in ("run", "demo"):
        assert pins(name).items() <= pins("test").items()


def test_build_backend_is_pinned_to_an_exact_version() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert about["build-system"]["requires"]
    assert all("==" in one for one in about["build-system"]["requires"])
