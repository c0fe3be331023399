"""The life cycle of signing keys: published before use, current, retired, removed. Their number is limited."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from cloud.foundation.errors import DomainError
from cloud.foundation.signing_keys import KeyState, LifeCycle, StoredKey, begin, rotate


class TooFresh(DomainError):
    """The next key is too fresh."""

    code = "test_key_too_fresh"


class TooMany(DomainError):
    """The set is full."""

    code = "too_many_test_keys"


AHEAD_US, AFTER_US = 900, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(StoredKey):
    """A kind of signing key with simple times, for tests."""

    LIFE: ClassVar[LifeCycle] = LifeCycle(
        publish_ahead_us=AHEAD_US, publish_after_us=AFTER_US, published_max=4, too_fresh=TooFresh, too_many=TooMany
    )


def sample(number: int, published_at_us: int = 0) -> Sample:
    return Sample(
        number=number,
        kid=f"key-{number}",
        public_key=b"public",
        private_key_sealed=b"sealed",
        published_at_us=published_at_us,
    )


def first_keys() -> list[Sample]:
    return list(begin(sample(1), sample(2), 0))


def rotated(keys: list[Sample], now_us: int, *, full: bool = False) -> list[Sample]:
    """Rotate the keys; return all keys after the rotation, with a new one published for the next rotation."""
    rotation = rotate(keys, now_us, at_once=True, full=full)
    changed = {key.number: key for key in (rotation.retired, rotation.current)}
    return [*(changed.get(key.number, key) for key in keys), sample(len(keys) + 1, now_us)]


def test_new_set_of_signing_keys_has_a_current_key_and_a_next_key() -> None:
    assert [key.state for key in first_keys()] == [KeyState.CURRENT, KeyState.NEXT]


def test_key_rotation_retires_the_current_key_and_makes_the_next_key_current() -> None:
    rotation = rotate(first_keys(), AHEAD_US, at_once=False)
    assert (rotation.retired.state, rotation.retired.retired_at_us) == (KeyState.RETIRED, AHEAD_US)
    assert (rotation.current.state, rotation.current.signs_from_us) == (KeyState.CURRENT, AHEAD_US)


def test_rotation_to_a_recently_published_key_requires_the_at_once_option() -> None:
    with pytest.raises(TooFresh, match=r"used from 1970-01-01T00:00:00\.000900Z"):
        rotate(first_keys(), AHEAD_US - 1, at_once=False)
    assert rotate(first_keys(), 1, at_once=True).current.number == 2


def test_retired_key_stays_published_for_a_fixed_time_after_its_last_signature_expires() -> None:
    retired = replace(sample(1), signs_from_us=0, retired_at_us=100)
    assert retired.published_until_us == 100 + AFTER_US
    covering = replace(retired, covers_until_us=5_000)
    assert covering.published_until_us == 5_000 + AFTER_US
    assert (covering.is_published(5_000 + AFTER_US - 1), covering.is_published(5_000 + AFTER_US)) == (True, False)


def test_withdrawn_signing_key_is_removed_from_the_published_keys_at_once() -> None:
    withdrawn = replace(sample(1), signs_from_us=0, covers_until_us=5_000, withdrawn_at_us=100)
    assert (withdrawn.state, withdrawn.is_published(100)) == (KeyState.WITHDRAWN, False)


def test_error_for_a_key_rotation_over_the_limit_of_published_keys_names_the_next_removal_time() -> None:
    keys = rotated(rotated(first_keys(), 10), 20)
    with pytest.raises(TooMany, match=r"4 keys are published; the next one leaves at 1970-01-01T00:00:00\.000070Z"):
        rotated(keys, 30)
    assert len(rotated(keys, 30, full=True)) == 5
    assert len(rotated(keys, 10 + AFTER_US)) == 5, "the first key has left the set"


def test_repr_of_a_signing_key_does_not_contain_the_encrypted_private_key() -> None:
    assert "sealed" not in repr(sample(1))
