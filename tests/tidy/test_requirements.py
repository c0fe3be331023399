"""Every installed package, and the build backend, is pinned to a version and has hashes for every platform.

The gateway runs without the packages that only the cloud needs, and the cloud without those of the gateway.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Set
from functools import cache
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tidy.sources import ROOT

pytestmark = pytest.mark.finding("security-low-hashes")
FOLDER = ROOT / "requirements"
EXTRAS = {
    "gateway": ("gateway", "uvloop"),
    "cloud": ("cloud", "uvloop"),
    "demo": ("gateway", "cloud", "uvloop", "demo"),
    "test": ("gateway", "cloud", "uvloop", "demo", "dev"),
}
"""The extras of the project that each requirements file holds."""
NAMES = tuple(EXTRAS)
_LOAD_THE_GATEWAY = """
import pkgutil, sys
from importlib import import_module
sys.modules.update(dict.fromkeys(sys.argv[1:]))  # None: the import raises ModuleNotFoundError
for module in pkgutil.walk_packages(import_module("gateway").__path__, "gateway."):
    import_module(module.name)
"""


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


@pytest.mark.parametrize("name", [*NAMES, "otlp"])
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


def test_all_requirements_have_the_versions_of_the_test_requirements() -> None:
    for name in NAMES:
        assert pins(name).items() <= pins("test").items()


def modules_of(distributions: Set[str]) -> set[str]:
    """Return the names under which the modules of these distributions are imported."""
    found = packages_distributions().items()
    return {module for module, owners in found if {canonicalize_name(one) for one in owners} <= distributions}


@pytest.mark.parametrize(("extra", "other"), [("gateway", "cloud"), ("cloud", "gateway")])
def test_contract_on_imports_names_every_package_of_the_other_extra(extra: str, other: str) -> None:
    """`make lint` checks the contract, also for imports in functions."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = {one["name"]: one for one in about["tool"]["importlinter"]["contracts"]}
    (forbidden,) = [one for name, one in contracts.items() if name.endswith(f"needs no package of the extra `{other}`")]
    wanted = {canonicalize_name(Requirement(text).name) for text in about["project"]["optional-dependencies"][other]}
    assert extra in forbidden["source_modules"]
    assert {name for name in modules_of(wanted) if not name.startswith("_")} == set(forbidden["forbidden_modules"])


def test_gateway_loads_without_the_packages_of_the_cloud() -> None:
    absent = modules_of(pins("cloud").keys() - pins("gateway").keys())
    assert absent >= {"numpy", "pyarrow", "rustworkx", "sqlalchemy"}
    program = [sys.executable, "-c", _LOAD_THE_GATEWAY, *absent]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]


def test_build_backend_is_pinned_to_an_exact_version() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert about["build-system"]["requires"]
    assert all("==" in one for one in about["build-system"]["requires"])
