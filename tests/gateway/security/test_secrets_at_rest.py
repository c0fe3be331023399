"""A stolen disk reveals neither the gateway's keys nor its broker password without the key of the store."""

import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from structlog.testing import capture_logs

from gateway.cli.doctor import secret_findings
from gateway.security.identity import Identity, IdentityUnusable
from gateway.security.secret_store import SECRET_BYTES_MAX, SecretDamaged, SecretStore
from gateway.security.tls_key import load_client_certificate
from gateway.settings import MqttSection
from gateway.sync.mqtt import MqttSession
from gateway.sync.mqtt_errors import MqttUnavailable
from gateway.sync.settings import KEY_NAME, PASSWORD_NAME, UplinkSettings, broker_address
from tests.gateway.sync.test_mqtt import CLOCK
from tests.harness.broker import GATEWAY, TENANT, Broker, running
from tests.harness.certificates import Authority

STORE_KEY = bytes(range(32))
PASSWORD = b"sesame"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "identity"


def plain_identity(folder: Path) -> tuple[Identity, bytes]:
    """Make an identity as earlier versions stored it, with its keys in plain text; return the
    identity and its TLS key."""
    made = Identity.create(folder, "gw_test")
    signing = made.signing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    tls = made.secrets.get("client.key")
    assert tls is not None
    for name, content in (("signing.key", signing), ("client.key", tls)):
        made.secrets.path(name).unlink()
        (folder / name).touch(0o600)
        (folder / name).write_bytes(content)
    (folder / "client.crt").write_text("certificate")
    return Identity.load(folder), tls


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def is_sealed(folder: Path, *secrets: bytes) -> bool:
    """Return True if no file in the folder contains a private key in PEM or one of these secrets."""
    content = on_disk(folder)
    return b"PRIVATE KEY" not in content and not any(secret in content for secret in secrets)


@pytest.mark.finding("edge-C2")
def test_identity_folder_contains_no_plaintext_signing_key(folder: Path) -> None:
    made = Identity.create(folder, "gw_test")
    assert is_sealed(folder, made.signing_key.private_bytes_raw())
    assert Identity.load(folder).public_key == made.public_key


def test_certificate_request_contains_the_gateway_name_and_its_public_key(folder: Path) -> None:
    made = Identity.create(folder, "gw_test")
    request = x509.load_pem_x509_csr((folder / "client.csr").read_bytes())
    sealed = made.secrets.get("client.key")
    assert sealed is not None
    key = load_pem_private_key(sealed, password=None)
    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    assert request.subject.rfc4514_string() == "CN=gw_test"


@pytest.mark.finding("edge-C2")
def test_plaintext_keys_of_an_earlier_version_are_encrypted_and_removed(folder: Path) -> None:
    before, tls = plain_identity(folder)
    assert len(before.plain_files) == 2
    assert not is_sealed(folder)
    before.seal()
    after = Identity.load(folder)
    assert is_sealed(folder, tls)
    assert after.plain_files == ()
    assert after.public_key == before.public_key
    assert after.tls is not None
    assert after.tls.key == tls
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.sealed")} == {0o600}


@pytest.mark.parametrize("dies_at", ["rename", "unlink"])
def test_no_key_is_lost_by_a_crash_during_the_encryption_of_plaintext_keys(
    folder: Path, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    before, tls = plain_identity(folder)

    class Died(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(Path, dies_at, die)
        if dies_at == "unlink":
            patched.setattr("gateway.durable.Path", Path, raising=False)
        with pytest.raises(Died):
            before.seal()
    for left in folder.glob(".*"):
        left.unlink()
    again = Identity.load(folder)
    assert again.public_key == before.public_key
    again.seal()
    assert is_sealed(folder, tls)


def test_plaintext_keys_stay_usable_when_their_encryption_fails_on_a_full_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = plain_identity(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.security.secret_store.replace_file", full)
    with capture_logs() as logs:
        before.seal()
        before.seal()
    assert [line["event"] for line in logs] == ["secret.left_plain", "secret.left_plain"]  # one for each file
    assert Identity.load(folder).public_key == before.public_key
    (finding, *_) = secret_findings(before, None)
    assert (finding.grade, "in plain" in finding.sentence) == ("unwise", True)


def test_encrypted_secret_is_decrypted_only_with_its_own_name_and_store_key_and_gateway(folder: Path) -> None:
    folder.mkdir()
    store = SecretStore(folder, STORE_KEY, gateway="gw_test")
    store.put("a", b"secret")
    assert store.get("a") == b"secret"
    assert store.get("b") is None
    sealed = store.path("a").read_bytes()
    store.path("b").write_bytes(sealed)
    others = (
        (store, "b"),
        (SecretStore(folder, bytes(32), gateway="gw_test"), "a"),
        (SecretStore(folder, STORE_KEY, gateway="gw_other"), "a"),
    )
    for other, name in others:
        with pytest.raises(SecretDamaged):
            other.get(name)
    with pytest.raises(SecretDamaged):
        store.get("a", source="/etc/argus/a")
    for damaged in (b"", sealed[:-1], sealed[:5], bytes([sealed[0] ^ 1]) + sealed[1:], sealed[:-1] + b"\x00"):
        store.path("a").write_bytes(damaged)
        with pytest.raises(SecretDamaged):
            store.get("a")


def test_identity_load_reports_a_damaged_encrypted_key_and_keeps_its_file(folder: Path) -> None:
    made = Identity.create(folder, "gw_test")
    path = made.secrets.path("signing.key")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IdentityUnusable, match=r"signing\.key\.sealed is damaged"):
        Identity.load(folder)
    assert path.exists()


# ---- paths in the settings


@pytest.mark.finding("edge-C2")
def test_password_file_is_encrypted_when_it_is_read(tmp_path: Path, folder: Path) -> None:
    identity = Identity.create(folder, "gw_test")
    path = tmp_path / "mqtt-password"
    settings = UplinkSettings(mqtt_url="mqtt://h", username="u", password_file=path, read_secret=identity.secrets.take)
    for word in ("sesame", "changed"):
        path.write_text(word + "\n")
        assert broker_address(settings, None, CLOCK).password == word
        assert not path.exists()
        assert broker_address(settings, None, CLOCK).password == word
        assert is_sealed(tmp_path, word.encode())
    elsewhere = UplinkSettings(
        mqtt_url="mqtt://h", username="u", password_file=tmp_path / "other", read_secret=identity.secrets.take
    )
    with pytest.raises(MqttUnavailable, match=r"mqtt-password\.sealed is damaged, or was sealed under another key"):
        broker_address(elsewhere, None, CLOCK)


@pytest.mark.finding("edge-C2")
def test_secret_file_behind_a_symbolic_link_is_not_encrypted_and_is_reported(tmp_path: Path, folder: Path) -> None:
    identity = Identity.create(folder, "gw_test")
    (tmp_path / "vault").write_bytes(PASSWORD)
    path = tmp_path / "mqtt-password"
    path.symlink_to("vault")
    assert identity.secrets.take(path, PASSWORD_NAME) == PASSWORD
    assert path.is_symlink()
    section = MqttSection(url="mqtt://h", username="u", password_file=path)
    findings = [(each.grade, str(path) in each.sentence) for each in secret_findings(identity, section)]
    assert findings == [("unwise", True)]


@pytest.mark.finding("edge-C2")
def test_secret_file_above_the_size_limit_is_rejected_and_not_deleted(tmp_path: Path, folder: Path) -> None:
    identity = Identity.create(folder, "gw_test")
    path = tmp_path / "mqtt-password"
    path.write_bytes(bytes(SECRET_BYTES_MAX))
    assert identity.secrets.take(path, PASSWORD_NAME) == bytes(SECRET_BYTES_MAX)
    assert not path.exists()
    path.write_bytes(bytes(SECRET_BYTES_MAX + 1))
    with pytest.raises(OSError, match="too large to be a secret"):
        identity.secrets.take(path, PASSWORD_NAME)
    assert path.exists()


def test_secret_file_that_cannot_be_deleted_is_used_and_reported(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = Identity.create(folder, "gw_test")
    path = tmp_path / "mqtt-password"
    path.write_bytes(PASSWORD)
    section = MqttSection(url="mqtt://h", username="u", password_file=path)

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", forbidden)
        assert identity.secrets.take(path, PASSWORD_NAME) == PASSWORD
    findings = [(each.grade, str(path) in each.sentence) for each in secret_findings(identity, section)]
    assert findings == [("unwise", True)]
    path.unlink()
    assert [each.grade for each in secret_findings(identity, section)] == ["well"]
    identity.secrets.path(PASSWORD_NAME).unlink()
    assert [each.grade for each in secret_findings(identity, section)] == ["wrong", "well"]


def test_systemd_credential_is_read_and_neither_encrypted_nor_deleted(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = Identity.create(folder, "gw_test")
    path = tmp_path / "credentials" / "mqtt-password"
    path.parent.mkdir()
    path.write_bytes(PASSWORD)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(path.parent))
    assert identity.secrets.take(path, PASSWORD_NAME) == PASSWORD
    assert path.exists()
    assert not identity.secrets.path(PASSWORD_NAME).exists()


# ---- OpenSSL


@pytest.mark.broker
async def test_gateway_connects_to_the_broker_with_an_encrypted_client_key(tmp_path: Path, folder: Path) -> None:
    identity = Identity.create(folder, GATEWAY)
    authority = Authority(tmp_path / "ca")
    authority.issue("broker", "broker")
    certificate, key = authority.issue(GATEWAY, "gateway")
    async with running(Broker(tmp_path / "broker", certificates=authority.folder)) as broker:
        settings = UplinkSettings(
            mqtt_url=f"mqtts://127.0.0.1:{broker.port}",
            ca_file=authority.folder / "ca.crt",
            cert_file=certificate,
            key_file=key,
            read_secret=identity.secrets.take,
        )
        for _ in range(2):
            session = await MqttSession.open(broker_address(settings, None, CLOCK), client_id=GATEWAY)
            await session.publish(f"argus/v1/{TENANT}/{GATEWAY}/up/numeric", b"x")
            await session.close()
            assert not key.exists()
    assert identity.secrets.path(KEY_NAME).exists()


def test_client_key_that_does_not_match_its_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("one", "one")
    _, other = authority.issue("other", "other")
    context = ssl.create_default_context()
    before = set(os.listdir("/proc/self/fd"))
    load_client_certificate(context, certificate, key.read_bytes())
    for unfit in (other.read_bytes(), b"", b"nonsense"):
        with pytest.raises(OSError):  # noqa: PT011  ssl.SSLError, which is one
            load_client_certificate(context, certificate, unfit)
    assert set(os.listdir("/proc/self/fd")) == before


# ---- another signing key


def test_replacing_the_signing_key_changes_the_public_key_and_keeps_the_store_key(folder: Path) -> None:
    first = Identity.create(folder, "gw_test")
    second = first.replace_signing_key()
    third = Identity.load(folder).replace_signing_key()
    found = Identity.load(folder)
    assert len({first.public_key, second.public_key, third.public_key}) == 3
    assert found.public_key == third.public_key
    assert found.store_key == first.store_key
    assert len(list(folder.glob("signing*"))) == 1


def test_failed_signing_key_replacement_keeps_the_old_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Identity.create(folder, "gw_test")

    def die(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.security.identity.replace_file", die)
        with pytest.raises(OSError, match="Input/output"):
            first.replace_signing_key()
    assert Identity.load(folder).public_key == first.public_key


def test_identity_load_rejects_a_signing_key_of_another_key_type(folder: Path) -> None:
    made = Identity.create(folder, "gw_test")
    other = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for wrong in (other, made.secrets.get("client.key") or b"", b"nonsense"):
        made.secrets.put("signing.key", wrong)
        with pytest.raises(IdentityUnusable, match=r"signing\.key\.sealed is not"):
            Identity.load(folder)
