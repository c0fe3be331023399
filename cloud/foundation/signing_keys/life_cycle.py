"""The life cycle of a signing key: next, current, retired, no longer published. Pure functions: times are passed in.

A key is published before it signs, for longer than any verifier may cache the published set, and stays published for as
long as one of its signatures may be checked. So a verifier never meets an unknown key, as long as there is a next key.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from cloud.foundation.errors import DomainError
from cloud.foundation.moments import write_moment


class KeyState(StrEnum):
    """The state of a signing key in its life cycle."""

    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeCycle:
    """The times and the limit of one kind of signing keys, and the errors of a rotation that comes too early:
    `too_fresh` if the next key has not been published long enough, `too_many` if the published set is full."""

    publish_ahead_us: int
    """Time for which a key is published before it may sign."""
    publish_after_us: int
    """Time for which a key stays published after its retirement or, if later, after `covers_until_us`."""
    published_max: int
    too_fresh: type[DomainError]
    too_many: type[DomainError]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A signing key as stored; each kind of keys derives its own class. The private key is decrypted only to sign."""

    LIFE: ClassVar[LifeCycle]

    number: int
    kid: str
    public_key: bytes
    private_key_sealed: bytes = field(repr=False)
    published_at_us: int
    signs_from_us: int | None = None
    retired_at_us: int | None = None
    covers_until_us: int = 0
    """Time until which signatures of this key are used. 0 for a kind where only the time of retirement matters."""
    withdrawn_at_us: int | None = None

    @property
    def state(self) -> KeyState:
        if self.withdrawn_at_us is not None:
            return KeyState.WITHDRAWN
        if self.retired_at_us is not None:
            return KeyState.RETIRED
        return KeyState.NEXT if self.signs_from_us is None else KeyState.CURRENT

    @property
    def is_current(self) -> bool:
        return self.state is KeyState.CURRENT

    @property
    def published_until_us(self) -> int | None:
        """Time at which the key leaves the published set; None for a next or current key."""
        if self.withdrawn_at_us is not None:
            return self.withdrawn_at_us
        if self.retired_at_us is None:
            return None
        return max(self.covers_until_us, self.retired_at_us) + self.LIFE.publish_after_us

    def is_published(self, now_us: int) -> bool:
        until_us = self.published_until_us
        return until_us is None or now_us < until_us

    def describe(self) -> dict[str, Any]:
        """Return the state and the times of the key in plain values, for the console."""
        return {
            "kid": self.kid,
            "state": self.state,
            "published_at": write_moment(self.published_at_us),
            "signs_from": write_moment(self.signs_from_us),
            "retired_at": write_moment(self.retired_at_us),
            "published_until": write_moment(self.published_until_us),
        }


Key = TypeVar("Key", bound=StoredKey)


@dataclass(frozen=True, slots=True)
class Rotation(Generic[Key]):
    """The two keys that a rotation changed. The caller also adds a new next key."""

    retired: Key
    current: Key


def begin(first: Key, second: Key, now_us: int) -> tuple[Key, Key]:
    """Return the first key as current, the second as next. The first may sign at once, since no verifier has cached a
    published set yet."""
    return replace(first, signs_from_us=now_us), second


def rotate(keys: Sequence[Key], now_us: int, *, at_once: bool, full: bool = False) -> Rotation[Key]:
    """Retire the current key and make the next one current; return both. Raises `too_fresh` if caches may not have the
    next key yet, and `too_many` if the published set is full. `at_once` and `full` switch off these two checks."""
    published = [key for key in keys if key.is_published(now_us)]
    (current,) = [key for key in keys if key.state is KeyState.CURRENT]
    (successor,) = [key for key in keys if key.state is KeyState.NEXT]
    life = current.LIFE
    if len(published) >= life.published_max and not full:
        ends_us = min(key.published_until_us for key in published if key.published_until_us is not None)
        raise life.too_many(f"({len(published)} keys are published; the next one leaves at {write_moment(ends_us)}.)")
    usable_us = successor.published_at_us + life.publish_ahead_us
    if now_us < usable_us and not at_once:
        raise life.too_fresh(f"(It can be used from {write_moment(usable_us)}.)")
    return Rotation(replace(current, retired_at_us=now_us), replace(successor, signs_from_us=now_us))
