"""A seal fixes the log: every change of it is found, and only the gateway's key makes a seal."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.epcr.change import FieldChange
from protocols.epcr.seal import SealVerdict, chain_end, check_seal, read_seal, seal_value
from tests.builders.care_changes import ENCOUNTER, change

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
LOG = [
    change("patient.age", "50", id="c1"),
    change("vitals.spo2", "97", id="c2"),
    change("narrative.text", "Ż", id="c3"),
]


def sealed(log: list[FieldChange], key: Ed25519PrivateKey = KEY) -> list[FieldChange]:
    value = seal_value(ENCOUNTER, len(log), chain_end(ENCOUNTER, log), key.sign)
    return [*log, change("record.seal", value, id=f"seal-{len(log)}", author="gateway")]


def test_sealed_log_is_intact():
    assert check_seal(ENCOUNTER, sealed(LOG), PUBLIC) is SealVerdict.INTACT


def test_addendum_with_its_seal_is_intact_and_without_it_changed():
    log = [*sealed(LOG), change("record.addendum", "Late result", entry="a1", id="c4"), change("patient.age", "51")]
    assert check_seal(ENCOUNTER, log, PUBLIC) is SealVerdict.CHANGED
    assert check_seal(ENCOUNTER, sealed(log), PUBLIC) is SealVerdict.INTACT


def test_log_without_a_seal_is_unsealed():
    assert check_seal(ENCOUNTER, LOG, PUBLIC) is SealVerdict.UNSEALED


@pytest.mark.parametrize(
    "tampered",
    [
        lambda log: [replace(log[0], value="15"), *log[1:]],
        lambda log: [replace(log[0], author="usr_other"), *log[1:]],
        lambda log: [replace(log[0], gateway_time_us=1), *log[1:]],
        lambda log: log[1:],
        lambda log: [log[1], log[0], *log[2:]],
        lambda log: [*log[:-1], change("patient.age", "15"), log[-1]],
    ],
    ids=["value", "author", "time", "removed", "order", "added"],
)
def test_every_change_of_a_sealed_log_is_found(tampered):
    assert check_seal(ENCOUNTER, tampered(sealed(LOG)), PUBLIC) is SealVerdict.CHANGED


def test_seal_of_another_encounter_or_key_is_refused():
    assert check_seal("enc_other", sealed(LOG), PUBLIC) is SealVerdict.CHANGED
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert check_seal(ENCOUNTER, sealed(LOG, other), PUBLIC) is SealVerdict.FORGED
    assert check_seal(ENCOUNTER, sealed(LOG), b"short") is SealVerdict.FORGED


@pytest.mark.parametrize(
    "value", ["", "[]", "{}", '{"form":2}', '{"form":1,"changes":true,"digest":"","signature":""}']
)
def test_seal_of_an_unknown_form_is_unreadable(value: str):
    assert read_seal(value) is None
    assert check_seal(ENCOUNTER, [*LOG, change("record.seal", value)], PUBLIC) is SealVerdict.UNREADABLE
