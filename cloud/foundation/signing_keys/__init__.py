"""Signing keys of every kind: their life cycle, their rows and the use cases that change their state."""

# mypy: implicit-reexport
from cloud.foundation.signing_keys.key_ring import KeyRing
from cloud.foundation.signing_keys.life_cycle import KeyState, LifeCycle, StoredKey, begin, rotate
from cloud.foundation.signing_keys.store import KeyStore
