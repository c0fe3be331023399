"""A few RSA keys for all installations of a test process: to generate one takes a quarter of a second.

Keys that follow each other are different, so a rotation or a second installation has a key of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from cloud.access.tokens import signing_key

KEYS = 6
"""Number of different keys. No test rotates so often that a key comes twice in one installation."""
_NUMBERS = count()


@cache
def _key(_number: int, exponent: int, bits: int) -> RSAPrivateKey:
    return generate_private_key(exponent, bits)


def next_key(exponent: int, bits: int) -> RSAPrivateKey:
    """Return the next of the keys with these properties; after the last, the first again."""
    return _key(next(_NUMBERS) % KEYS, exponent, bits)


@contextmanager
def kept_keys() -> Iterator[None]:
    """Let the cloud take its signing keys from `next_key` during the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signing_key, "generate_private_key", next_key)
        yield
