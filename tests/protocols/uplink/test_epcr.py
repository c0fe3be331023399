"""Field changes on the wire: what a newer vehicle sends passes through, and limits are enforced on both sides."""

import pytest

from protocols.epcr.change import Action
from protocols.epcr.value_sets import TEXT_LENGTH_MAX
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.uplink.epcr import CHANGES_BYTES_MAX, CHANGES_MAX, decode_changes, encode_changes
from protocols.uplink.limits import LimitExceeded
from tests.builders.care_changes import change


def test_changes_of_every_form_are_decoded_as_they_were():
    changes = [
        change(),
        change("patient.last_name", "Żółć 🚑", device_time_us=-1, author="ż" * 64),
        change("vitals.spo2", None, negative="refused", replaces=("a", "b")),
        change("vitals.spo2", None, not_recorded="not_applicable"),
        change("history.conditions", "J45", action=Action.REMOVE),
        change("medications", "not given", entry="m1", action=Action.VOID),
        change("", ""),
    ]
    assert decode_changes(encode_changes(changes), announced_count=7) == changes


def test_keys_negatives_and_reasons_of_a_newer_release_are_kept():
    newer = [change("robot.mood", "calm", negative="unimpressed", not_recorded="too_busy")]
    assert decode_changes(encode_changes(newer), announced_count=1) == newer


def test_longest_narrative_fits():
    narrative = [change("narrative.text", "ż" * TEXT_LENGTH_MAX)]
    assert decode_changes(encode_changes(narrative), announced_count=1) == narrative


def test_batch_above_a_limit_is_neither_encoded_nor_decoded():
    with pytest.raises(LocalProtocolError, match="changes in one batch"):
        encode_changes([change()] * (CHANGES_MAX + 1))
    with pytest.raises(LocalProtocolError, match="bytes"):
        encode_changes([change("narrative.text", "🚑" * TEXT_LENGTH_MAX)] * 4)
    with pytest.raises(LocalProtocolError):
        encode_changes([])
    with pytest.raises(LimitExceeded):
        decode_changes(bytes(CHANGES_BYTES_MAX + 1), announced_count=1)
    with pytest.raises(LimitExceeded, match="changes in one batch"):
        decode_changes(b"\x01\x81\x02", announced_count=257)


def test_another_version_or_count_is_refused():
    payload = encode_changes([change()])
    with pytest.raises(RemoteProtocolError, match="version 2"):
        decode_changes(b"\x02" + payload[1:], announced_count=1)
    with pytest.raises(RemoteProtocolError, match="another number"):
        decode_changes(payload, announced_count=2)


def test_nul_characters_flags_and_actions_without_a_meaning_are_refused():
    payload = encode_changes([change(value="9\x01")])
    with pytest.raises(RemoteProtocolError, match="NUL"):
        decode_changes(payload.replace(b"9\x01", b"9\x00"), announced_count=1)
    with pytest.raises(RemoteProtocolError, match="flags"):
        decode_changes(payload[:2] + b"\x80" + payload[3:], announced_count=1)
    with pytest.raises(RemoteProtocolError, match="action"):
        decode_changes(payload[:3] + b"\x03" + payload[4:], announced_count=1)
