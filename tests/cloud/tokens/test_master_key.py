"""The master key is a private file that is created once, never replaced, and refused if others could read it."""

from pathlib import Path

import pytest

from cloud.access.tokens import SigningKeys
from cloud.access.tokens.place import first_master_key
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import migrate, open_database
from cloud.foundation.master_key import (
    MasterKey,
    MasterKeyAbsent,
    MasterKeyTaken,
    MasterKeyUnfit,
    SealBroken,
    master_key_path,
)
from cloud.foundation.settings import SettingsUnusable
from cloud.settings import read_settings
from tests.builders.auth_world import MASTER, kept_key
from tests.builders.cloud_settings import HOSTS, settings_file


def test_master_key_file_is_created_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    made = MasterKey.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert MasterKey.load(path).open("x", "row", made.seal("x", "row", b"plain")) == b"plain"
    with pytest.raises(MasterKeyTaken):
        MasterKey.create(path)
    assert list(tmp_path.iterdir()) == [path]


def test_keys_derived_from_the_master_key_differ_by_purpose() -> None:
    key = MasterKey(bytes(32))
    assert key.derive("cursors") != key.derive("signing keys")
    assert key.derive("cursors") == MasterKey(bytes(32)).derive("cursors")
    with pytest.raises(SealBroken):
        key.open("cursors", "row", key.seal("signing keys", "row", b"plain"))
    assert key.seal("x", "row", b"plain") != key.seal("x", "row", b"plain")


def test_master_key_file_that_is_malformed_or_readable_by_other_users_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with pytest.raises(MasterKeyAbsent, match="init-secrets"):
        MasterKey.load(path)
    MasterKey.create(path)
    path.chmod(0o644)
    with pytest.raises(MasterKeyUnfit, match="chmod 600"):
        MasterKey.load(path)
    path.chmod(0o600)
    for octets in (b"", b"c2hvcnQ=\n", b"not base64", b"A" * 5000):
        path.write_bytes(octets)
        with pytest.raises(MasterKeyUnfit) as caught:
            MasterKey.load(path)
        assert "c2hvcnQ" not in str(caught.value)
    with pytest.raises(MasterKeyUnfit):
        MasterKey.create(tmp_path / "no folder" / "master.key")


def test_master_key_file_is_in_the_folder_of_the_sqlite_database_unless_configured(tmp_path: Path) -> None:
    assert master_key_path(read_settings(settings_file(tmp_path))) == tmp_path / "master.key"
    more = '[secrets]\nmaster_key_file = "elsewhere/key"\n' + HOSTS
    assert master_key_path(read_settings(settings_file(tmp_path, more=more))) == tmp_path / "elsewhere" / "key"
    postgresql = settings_file(tmp_path, database_url="postgresql://argus@localhost/argus")
    with pytest.raises(SettingsUnusable, match="master_key_file"):
        master_key_path(read_settings(postgresql))


async def test_lost_master_key_of_an_installation_with_signing_keys_is_not_replaced(tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path))
    await migrate(settings.database_url, create=True)
    database = await open_database(settings.database_url)
    assert await first_master_key(settings, database) == str(tmp_path / "master.key")
    assert await first_master_key(settings, database) is None
    await SigningKeys(database, SystemClock(), lambda: MASTER, make=kept_key).ensure()
    (tmp_path / "master.key").unlink()
    assert await first_master_key(settings, database) is None
    assert not (tmp_path / "master.key").exists()
    await database.close()
