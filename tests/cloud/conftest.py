"""Fixtures of all cloud tests: real databases, a vehicle's gateway and an object store, an installation for the
console, cheap password hashes, and RSA keys that are used again."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.access.identity import passwords
from cloud.foundation.objects import LocalObjects
from tests.builders.cloud_settings import settings_file
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.harness.cloud_command import argus_cloud
from tests.harness.databases import (
    database,
    database_url,
    empty_database_url,
    migrated_file,
    migrated_sqlite,
    postgresql,
)
from tests.harness.rsa_keys import kept_keys

__all__ = [
    "database",
    "database_url",
    "empty_database_url",
    "gateway",
    "kept_signing_keys",
    "migrated_sqlite",
    "password_cost",
    "postgresql",
    "store",
    "two_tenants",
]


@pytest.fixture
def gateway() -> GatewayInVehicle:
    """Return a gateway that has sent nothing."""
    return GatewayInVehicle()


@pytest.fixture
def store(tmp_path: Path) -> LocalObjects:
    """Return an empty object store in a folder."""
    return LocalObjects(tmp_path / "objects")


# The least that argon2 accepts for one lane.
CHEAPEST_KIB = 8


@pytest.fixture(autouse=True)
def password_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the cost of a password hash to microseconds; tests of the hash itself restore the product's cost."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", CHEAPEST_KIB)
    monkeypatch.setattr(passwords, "PASSES", 1)


@pytest.fixture(autouse=True, scope="session")
def kept_signing_keys() -> Iterator[None]:
    """Give new installations signing keys that this process has generated before."""
    with kept_keys():
        yield


@pytest.fixture(scope="session")
def two_tenants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an installation with the tenants `tnt_1` and `tnt_2`, each with one organisation. Tests of
    the console copy it, since its set-up takes longer than most commands."""
    folder = tmp_path_factory.mktemp("installation")
    shutil.copy(migrated_file(), folder / "cloud.db")
    config = settings_file(folder)
    assert json.loads(argus_cloud(config, "init", "--json"))["master_key_file"] == str(folder / "master.key")
    for number in ("1", "2"):
        tenant, organization = f"tnt_{number}", f"org_{number}"
        argus_cloud(config, "tenants", "add", "--name", "North", "--id", tenant)
        argus_cloud(config, "organizations", "add", "--tenant", tenant, "--name", "Station", "--id", organization)
    return folder
