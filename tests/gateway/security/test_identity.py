"""A gateway's identity is made once, whole, and readable only by its owner; faults are reported and not repaired."""

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


def test_a_created_identity_is_read_back(folder: Path):
    made = Identity.create(folder, "gw_test")
    found = Identity.load(folder)
    assert (found.gateway, found.public_key, found.store_key) == ("gw_test", made.public_key, made.store_key)
    assert len(found.store_key) == 32
    assert base64.b64decode(found.public_key_base64) == found.public_key
    assert found.tls is None


def test_it_signs_what_its_public_key_verifies(folder: Path):
    identity = Identity.create(folder, "gw_test")
    assert verify_batch(batch(), sign_batch(batch(), identity.signing_key), identity.public_key)


def test_two_identities_share_nothing(tmp_path: Path):
    one, other = (Identity.create(tmp_path / name, "gw_test") for name in ("one", "other"))
    assert one.public_key != other.public_key
    assert one.store_key != other.store_key


def test_nobody_else_can_read_it(folder: Path):
    Identity.create(folder, "gw_test")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        ABOUT_FILE: 0o600,
        SEALED_SIGNING_KEY: 0o600,
        "client.key.sealed": 0o600,
        "client.csr": 0o600,
        STORE_KEY_FILE: 0o600,
    }


def test_keys_do_not_show_when_it_is_printed(folder: Path):
    identity = Identity.create(folder, "gw_test")
    shown = f"{identity!r} {identity}"
    assert identity.store_key.hex() not in shown
    assert repr(identity.store_key) not in shown
    assert "PrivateKey" not in shown


def test_creating_again_leaves_the_first_alone(folder: Path):
    first = Identity.create(folder, "gw_test")
    with pytest.raises(IdentityUnusable, match="left alone"):
        Identity.create(folder, "gw_test")
    assert Identity.load(folder).public_key == first.public_key


def test_a_folder_with_anything_in_it_is_not_taken(folder: Path):
    folder.mkdir()
    (folder / "something").write_text("else")
    with pytest.raises(IdentityUnusable):
        Identity.create(folder, "gw_test")
    assert [path.name for path in folder.iterdir()] == ["something"]


def test_an_empty_folder_is_taken(folder: Path):
    folder.mkdir()
    assert Identity.create(folder, "gw_test").gateway == "gw_test"


def test_when_it_cannot_be_written_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(IdentityUnusable, match="No space left on device"):
        Identity.create(tmp_path / "identity", "gw_test")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_appeared_meanwhile_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
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
def test_a_name_that_no_topic_can_hold_makes_nothing(folder: Path, name: str):
    with pytest.raises(IdentityUnusable, match="cannot name a gateway"):
        Identity.create(folder, name)
    assert not folder.exists()


def test_without_a_folder_there_is_no_identity(folder: Path):
    with pytest.raises(IdentityUnusable, match="is not there"):
        Identity.load(folder)


@pytest.mark.parametrize("name", [ABOUT_FILE, SEALED_SIGNING_KEY, STORE_KEY_FILE])
@pytest.mark.parametrize("damage", [b"", b"\x00" * 32, b"{}", None], ids=["empty", "zeros", "braces", "missing"])
def test_a_damaged_file_is_named_and_left_alone(folder: Path, name: str, damage: bytes | None):
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


def test_a_file_that_others_may_read_is_refused(folder: Path):
    Identity.create(folder, "gw_test")
    (folder / STORE_KEY_FILE).chmod(0o640)
    with pytest.raises(IdentityUnusable, match="chmod 600"):
        Identity.load(folder)


def test_a_key_of_another_identity_is_not_taken(tmp_path: Path):
    Identity.create(tmp_path / "one", "gw_test")
    Identity.create(tmp_path / "other", "gw_test")
    for name in (SEALED_SIGNING_KEY, STORE_KEY_FILE):
        kept = (tmp_path / "one" / name).read_bytes()
        (tmp_path / "one" / name).write_bytes((tmp_path / "other" / name).read_bytes())
        with pytest.raises(IdentityUnusable, match="made with"):
            Identity.load(tmp_path / "one")
        (tmp_path / "one" / name).write_bytes(kept)


def test_a_credential_is_used_and_not_written_down(tmp_path: Path, folder: Path):
    key = bytes(range(32))
    made = Identity.create(folder, "gw_test", credentials=credentials(tmp_path, key))
    assert made.store_key == key
    assert made.store_key_protected
    assert not (folder / STORE_KEY_FILE).exists()
    with pytest.raises(IdentityUnusable, match=STORE_KEY_FILE):
        Identity.load(folder)


def test_systemd_tells_where_the_credential_is(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials(tmp_path, bytes(range(32)))))
    assert Identity.create(folder, "gw_test").store_key_protected


def test_a_command_without_the_credential_says_how_to_give_it(tmp_path: Path, folder: Path):
    Identity.create(folder, "gw_1")
    (folder / STORE_KEY_FILE).unlink()
    with pytest.raises(IdentityUnusable, match="systemd-run with --property=LoadCredentialEncrypted=argus-store-key"):
        Identity.load(folder)


def test_without_a_credential_the_key_is_not_protected(folder: Path):
    assert not Identity.create(folder, "gw_test").store_key_protected


def test_a_credential_of_another_store_is_refused_before_the_store_is_touched(tmp_path: Path, folder: Path):
    Identity.create(folder, "gw_test")
    with pytest.raises(IdentityUnusable, match="credential argus-store-key"):
        Identity.load(folder, credentials=credentials(tmp_path, bytes(32)))


def test_a_credential_of_another_length_is_refused(tmp_path: Path, folder: Path):
    with pytest.raises(IdentityUnusable, match="31 octets"):
        Identity.create(folder, "gw_test", credentials=credentials(tmp_path, bytes(31)))
    assert not folder.exists()


def test_a_certificate_beside_the_keys_is_found(folder: Path):
    made = Identity.create(folder, "gw_test")
    (folder / "client.crt").write_text("certificate")
    tls = Identity.load(folder).tls
    assert tls is not None
    assert (tls.certificate, tls.key) == (folder / "client.crt", made.secrets.get("client.key"))
    assert b"PRIVATE KEY" in tls.key
    assert "PRIVATE" not in repr(tls)


def test_a_certificate_without_its_key_is_said(folder: Path):
    Identity.create(folder, "gw_test")
    (folder / "client.crt").write_text("certificate")
    (folder / "client.key.sealed").unlink()
    with pytest.raises(IdentityUnusable, match=r"client\.key\.sealed is missing"):
        Identity.load(folder)
