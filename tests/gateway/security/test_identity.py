"""A gateway's identity (its keys) is created once and readable only by its owner; a faulty identity is reported, not
repaired.
"""

import base64
import os
import stat
from pathlib import Path

import pytest

from gateway.security.identity import (
    ABOUT_FILE,
    SIGNING_KEY_FILE,
    STORE_KEY_CREDENTIAL,
    STORE_KEY_FILE,
    Identity,
    IdentityUnusable,
)
from protocols.uplink.envelope import sign_batch, verify_batch
from tests.builders.uplink_batches import batch

SEALED_SIGNING_KEY = f"{SIGNING_KEY_FILE}.sealed"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "identity"


def credentials(tmp_path: Path, key: bytes) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir(exist_ok=True)
    (folder / STORE_KEY_CREDENTIAL).write_bytes(key)
    return folder


def test_created_gateway_identity_is_loaded_with_the_same_keys(folder: Path):
    made = Identity.create(folder, "gw_test")
    found = Identity.load(folder)
    assert (found.gateway, found.public_key, found.store_key) == ("gw_test", made.public_key, made.store_key)
    assert len(found.store_key) == 32
    assert base64.b64decode(found.public_key_base64) == found.public_key
    assert found.tls is None


def test_batch_signed_by_an_identity_is_verified_by_its_public_key(folder: Path):
    identity = Identity.create(folder, "gw_test")
    assert verify_batch(batch(), sign_batch(batch(), identity.signing_key), identity.public_key)


def test_two_gateway_identities_have_different_public_and_store_keys(tmp_path: Path):
    one, other = (Identity.create(tmp_path / name, "gw_test") for name in ("one", "other"))
    assert one.public_key != other.public_key
    assert one.store_key != other.store_key


def test_identity_folder_and_files_are_readable_only_by_their_owner(folder: Path):
    Identity.create(folder, "gw_test")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        ABOUT_FILE: 0o600,
        SEALED_SIGNING_KEY: 0o600,
        "client.key.sealed": 0o600,
        "client.csr": 0o600,
        STORE_KEY_FILE: 0o600,
    }


def test_printed_identity_contains_no_private_key_and_no_store_key(folder: Path):
    identity = Identity.create(folder, "gw_test")
    shown = f"{identity!r} {identity}"
    assert identity.store_key.hex() not in shown
    assert repr(identity.store_key) not in shown
    assert "PrivateKey" not in shown


def test_identity_creation_over_an_existing_identity_fails_and_leaves_it_unchanged(folder: Path):
    first = Identity.create(folder, "gw_test")
    with pytest.raises(IdentityUnusable, match="left alone"):
        Identity.create(folder, "gw_test")
    assert Identity.load(folder).public_key == first.public_key


def test_identity_creation_in_a_folder_that_is_not_empty_fails(folder: Path):
    folder.mkdir()
    (folder / "something").write_text("else")
    with pytest.raises(IdentityUnusable):
        Identity.create(folder, "gw_test")
    assert [path.name for path in folder.iterdir()] == ["something"]


def test_identity_creation_in_an_existing_empty_folder_succeeds(folder: Path):
    folder.mkdir()
    assert Identity.create(folder, "gw_test").gateway == "gw_test"


def test_identity_creation_on_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(IdentityUnusable, match="No space left on device"):
        Identity.create(tmp_path / "identity", "gw_test")
    assert list(tmp_path.iterdir()) == []


def test_identity_creation_fails_when_another_process_creates_the_folder_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "identity"
    rename = Path.rename

    def late(making: Path, target: Path) -> Path:
        folder.mkdir()
        (folder / "first").write_text("come")
        return rename(making, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(IdentityUnusable):
        Identity.create(folder, "gw_test")
    assert [path.name for path in tmp_path.rglob("*")] == ["identity", "first"]


@pytest.mark.parametrize("name", ["", "a/b", "+", "n" * 65])
def test_identity_creation_rejects_a_gateway_name_that_is_invalid_in_an_mqtt_topic(folder: Path, name: str):
    with pytest.raises(IdentityUnusable, match="cannot name a gateway"):
        Identity.create(folder, name)
    assert not folder.exists()


def test_identity_load_fails_without_the_identity_folder(folder: Path):
    with pytest.raises(IdentityUnusable, match="is not there"):
        Identity.load(folder)


@pytest.mark.parametrize("name", [ABOUT_FILE, SEALED_SIGNING_KEY, STORE_KEY_FILE])
@pytest.mark.parametrize("damage", [b"", b"\x00" * 32, b"{}", None], ids=["empty", "zeros", "braces", "missing"])
def test_identity_load_names_a_damaged_or_missing_file_and_leaves_it_unchanged(
    folder: Path, name: str, damage: bytes | None
):
    Identity.create(folder, "gw_test")
    path = folder / name
    path.unlink()
    if damage is not None:
        path.touch(0o600)
        path.write_bytes(damage)
    with pytest.raises(IdentityUnusable, match=name) as caught:
        Identity.load(folder)
    assert len(caught.value.diagnosis.split(". ")) >= 3
    assert path.exists() is (damage is not None)


def test_identity_load_rejects_a_key_file_that_other_users_may_read(folder: Path):
    Identity.create(folder, "gw_test")
    (folder / STORE_KEY_FILE).chmod(0o640)
    with pytest.raises(IdentityUnusable, match="chmod 600"):
        Identity.load(folder)


def test_identity_load_rejects_a_key_file_of_another_identity(tmp_path: Path):
    Identity.create(tmp_path / "one", "gw_test")
    Identity.create(tmp_path / "other", "gw_test")
    for name in (SEALED_SIGNING_KEY, STORE_KEY_FILE):
        kept = (tmp_path / "one" / name).read_bytes()
        (tmp_path / "one" / name).write_bytes((tmp_path / "other" / name).read_bytes())
        with pytest.raises(IdentityUnusable, match="made with"):
            Identity.load(tmp_path / "one")
        (tmp_path / "one" / name).write_bytes(kept)


def test_store_key_credential_is_used_and_not_written_to_a_file(tmp_path: Path, folder: Path):
    key = bytes(range(32))
    made = Identity.create(folder, "gw_test", credentials=credentials(tmp_path, key))
    assert made.store_key == key
    assert made.store_key_protected
    assert not (folder / STORE_KEY_FILE).exists()
    with pytest.raises(IdentityUnusable, match=STORE_KEY_FILE):
        Identity.load(folder)


def test_store_key_credential_is_read_from_the_directory_named_by_systemd(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials(tmp_path, bytes(range(32)))))
    assert Identity.create(folder, "gw_test").store_key_protected


def test_identity_load_without_the_store_key_credential_names_the_systemd_run_option(tmp_path: Path, folder: Path):
    Identity.create(folder, "gw_1")
    (folder / STORE_KEY_FILE).unlink()
    with pytest.raises(IdentityUnusable, match="systemd-run with --property=LoadCredentialEncrypted=argus-store-key"):
        Identity.load(folder)


def test_store_key_that_is_not_a_systemd_credential_is_marked_unprotected(folder: Path):
    assert not Identity.create(folder, "gw_test").store_key_protected


def test_identity_load_rejects_the_store_key_credential_of_another_store(tmp_path: Path, folder: Path):
    Identity.create(folder, "gw_test")
    with pytest.raises(IdentityUnusable, match="credential argus-store-key"):
        Identity.load(folder, credentials=credentials(tmp_path, bytes(32)))


def test_identity_creation_rejects_a_store_key_credential_of_the_wrong_length(tmp_path: Path, folder: Path):
    with pytest.raises(IdentityUnusable, match="31 bytes"):
        Identity.create(folder, "gw_test", credentials=credentials(tmp_path, bytes(31)))
    assert not folder.exists()


def test_client_certificate_in_the_identity_folder_is_loaded_with_its_key(folder: Path):
    made = Identity.create(folder, "gw_test")
    (folder / "client.crt").write_text("certificate")
    tls = Identity.load(folder).tls
    assert tls is not None
    assert (tls.certificate, tls.key) == (folder / "client.crt", made.secrets.get("client.key"))
    assert b"PRIVATE KEY" in tls.key
    assert "PRIVATE" not in repr(tls)


def test_identity_load_reports_a_client_certificate_without_its_key(folder: Path):
    Identity.create(folder, "gw_test")
    (folder / "client.crt").write_text("certificate")
    (folder / "client.key.sealed").unlink()
    with pytest.raises(IdentityUnusable, match=r"client\.key\.sealed is missing"):
        Identity.load(folder)
