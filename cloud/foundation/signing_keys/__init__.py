"""Signing keys of every kind: their life cycle, their rows and the use cases that move them through it."""

from cloud.foundation.signing_keys.key_ring import KeyRing
from cloud.foundation.signing_keys.life_cycle import KeyState, LifeCycle, Rotation, StoredKey, begin, rotate
from cloud.foundation.signing_keys.store import KeyStore

__all__ = ["KeyRing", "KeyState", "KeyStore", "LifeCycle", "Rotation", "StoredKey", "begin", "rotate"]
