"""Signing keys of every kind (tokens, webhooks): their life cycle, their storage, and their rotation."""

# mypy: implicit-reexport
from cloud.foundation.signing_keys.key_ring import KeyRing
from cloud.foundation.signing_keys.life_cycle import KeyState, LifeCycle, StoredKey, begin, rotate
from cloud.foundation.signing_keys.store import KeyStore
