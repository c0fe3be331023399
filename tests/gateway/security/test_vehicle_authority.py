"""The vehicle's authority vouches for the vehicle's own names and private addresses, and for nothing else."""

import ssl
import stat
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from gateway.security.secret_store import SecretStore
from gateway.security.vehicle_authority import (
    CERTIFICATE_FILE,
    KEY_FILE,
    AuthorityUnusable,
    VehicleAuthority,
    server_context,
)

DAY_US = 86_400_000_000
BUILT_US = 1_767_225_600_000_000
NOW_US = BUILT_US + 300 * DAY_US


def secrets_in(folder, key=b"k" * 32):
    return SecretStore(folder, key, gateway="gw_test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("identity")


@pytest.fixture(scope="module")
def authority(folder):
    return VehicleAuthority.create(secrets_in(folder), "veh_1", ["box-7"], now_us=NOW_US, built_us=BUILT_US)


def leaf_of(issued):
    return x509.load_pem_x509_certificates(issued.pem[issued.pem.index(b"-----BEGIN CERTIFICATE") :])[0]


def test_authority_is_read_back_with_its_key_encrypted(folder, authority):
    assert VehicleAuthority.load(secrets_in(folder)).fingerprint == authority.fingerprint
    assert {each.name for each in folder.iterdir()} == {CERTIFICATE_FILE, f"{KEY_FILE}.sealed"}
    for each in folder.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
        assert b"PRIVATE KEY" not in each.read_bytes()


def test_authority_with_a_damaged_key_or_the_certificate_of_another_is_reported(tmp_path):
    assert VehicleAuthority.load(secrets_in(tmp_path)) is None
    VehicleAuthority.create(secrets_in(tmp_path), "veh_1", [], now_us=NOW_US, built_us=BUILT_US)
    with pytest.raises(AuthorityUnusable, match="authority --new"):
        VehicleAuthority.load(secrets_in(tmp_path, key=b"x" * 32))
    first = (tmp_path / CERTIFICATE_FILE).read_bytes()
    VehicleAuthority.create(secrets_in(tmp_path), "veh_1", [], now_us=NOW_US, built_us=BUILT_US)
    (tmp_path / CERTIFICATE_FILE).write_bytes(first)
    with pytest.raises(AuthorityUnusable, match="does not belong"):
        VehicleAuthority.load(secrets_in(tmp_path))


def test_lost_key_of_the_authority_is_reported_and_no_other_authority_is_made(tmp_path):
    VehicleAuthority.create(secrets_in(tmp_path), "veh_1", [], now_us=NOW_US, built_us=BUILT_US)
    (tmp_path / f"{KEY_FILE}.sealed").unlink()
    with pytest.raises(AuthorityUnusable, match=r"vehicle-ca\.key\.sealed is missing.*Restore.*authority --new"):
        VehicleAuthority.load(secrets_in(tmp_path))


def test_authority_is_complete_after_a_power_cut_before_its_certificate_was_written(tmp_path):
    made = VehicleAuthority.create(secrets_in(tmp_path), "veh_1", [], now_us=NOW_US, built_us=BUILT_US)
    (tmp_path / CERTIFICATE_FILE).unlink()
    assert VehicleAuthority.load(secrets_in(tmp_path)).fingerprint == made.fingerprint
    assert (tmp_path / CERTIFICATE_FILE).exists()


def test_name_constraint_is_critical_and_permits_only_own_names_and_private_addresses(authority):
    constraint = authority.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraint.critical
    for name in ("argus.local", "argus-9.local", "box-7", "10.1.2.3", "192.168.4.1", "fd00::1"):
        assert authority.permits(name), name
    for name in ("example.org", "argus.local.example.org", "notargus.local", "8.8.8.8", "2001:db8::1", ""):
        assert not authority.permits(name), name


def test_server_certificate_leaves_out_names_that_the_constraint_does_not_permit(authority):
    issued = authority.issue(["argus.local", "example.org", "10.0.0.1"], now_us=NOW_US, disciplined=True)
    assert issued.names == {"argus.local", "10.0.0.1"}


@pytest.mark.parametrize(("name", "trusted"), [("argus.local", True), ("example.org", False)])
def test_verifier_refuses_a_certificate_for_a_foreign_name_although_the_authority_signed_it(authority, name, trusted):
    issued = authority.issue(["argus.local"], now_us=NOW_US, disciplined=True)
    leaf = leaf_of(issued)
    if not trusted:
        leaf = _forged(authority, leaf, name)
    verifier = (
        PolicyBuilder()
        .store(Store([authority.certificate]))
        .time(datetime.fromtimestamp(NOW_US / 1e6, UTC))
        .build_server_verifier(x509.DNSName(name))
    )
    if trusted:
        verifier.verify(leaf, [])
        return
    with pytest.raises(VerificationError):
        verifier.verify(leaf, [])


def _forged(authority, leaf, name):
    """Return the certificate that a thief of the authority's key makes for another site."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject)
        .issuer_name(leaf.issuer)
        .public_key(leaf.public_key())
        .serial_number(1)
        .not_valid_before(leaf.not_valid_before_utc)
        .not_valid_after(leaf.not_valid_after_utc)
    )
    for extension in leaf.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            value = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = builder.add_extension(value, extension.critical)
    return builder.sign(authority.key, SHA256())


@pytest.mark.parametrize(
    ("now_us", "disciplined", "days"),
    [(NOW_US, True, 30), (NOW_US, False, 397), (BUILT_US, False, 397)],
    ids=["time service", "clock may lag", "started in 1970"],
)
def test_server_certificate_is_valid_now_and_longer_while_the_clock_may_lag(authority, now_us, disciplined, days):
    issued = authority.issue(["argus.local"], now_us=now_us, disciplined=disciplined)
    leaf = leaf_of(issued)
    starts_us, ends_us = (round(at.timestamp() * 1e6) for at in (leaf.not_valid_before_utc, leaf.not_valid_after_utc))
    assert BUILT_US <= starts_us <= now_us
    assert ends_us == now_us + days * DAY_US
    assert ends_us - starts_us < 825 * DAY_US, "Apple refuses longer ones"
    assert now_us < issued.renew_at_us < ends_us


def test_certificate_of_an_undisciplined_clock_that_is_a_year_ahead_is_valid_for_tablets_with_the_right_time(authority):
    leaf = leaf_of(authority.issue(["argus.local"], now_us=NOW_US + 365 * DAY_US, disciplined=False))
    assert leaf.not_valid_before_utc.timestamp() * 1e6 < NOW_US < leaf.not_valid_after_utc.timestamp() * 1e6


def test_tls_client_that_trusts_the_authority_connects_to_the_server_certificate(authority):
    server, client = server_context(), ssl.create_default_context(cadata=authority.der)
    authority.issue(["argus.local"], now_us=_now_us(), disciplined=False).load(server)
    to_server, to_client, from_server, from_client = (ssl.MemoryBIO() for _ in range(4))
    ends = (
        client.wrap_bio(from_server, to_server, server_hostname="argus.local"),
        server.wrap_bio(from_client, to_client, server_side=True),
    )
    for _ in range(10):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
            from_client.write(to_server.read())
            from_server.write(to_client.read())
    assert ends[0].version() == "TLSv1.3"


def _now_us():
    return round(datetime.now(UTC).timestamp() * 1e6)
