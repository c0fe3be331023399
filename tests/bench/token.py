"""`token.*`: minting and verifying access tokens, against the bare RSA operation with the same key.

`verify` is the first sight of each token: length, header, signature, claims, time, audience, and whether token, app or
user ended early. `verify_cached` is every further sight. `mint` is what the token endpoint does once the client is
proved: claims, key, signature, and the promise that the key stays published for long enough.
"""

import asyncio
import atexit
import base64
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from cloud.db import migrate, open_database
from cloud.http.host import Host
from cloud.tokens import Verifier
from tests.builders.auth_world import BASES, AuthWorld, auth_world, key_pair, private_of

Run = Callable[[], int]

MINTED = 200
TOKENS = 2_000
SIGHTS = 20_000


@cache
def _world() -> tuple[asyncio.AbstractEventLoop, AuthWorld]:
    """One loop and one database for all figures."""
    folder = Path(tempfile.mkdtemp(prefix="argus-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    loop = asyncio.new_event_loop()
    url = f"sqlite:///{folder / 'cloud.db'}"
    loop.run_until_complete(migrate(url))

    async def opened() -> AuthWorld:
        return await auth_world(await open_database(url))

    return loop, loop.run_until_complete(opened())


@cache
def _tokens() -> tuple[str, ...]:
    loop, world = _world()

    async def minted() -> tuple[str, ...]:
        return tuple([await world.token() for _ in range(TOKENS)])

    return loop.run_until_complete(minted())


def measure_mint() -> tuple[Run, Run]:
    """Ours against RSA signatures of the same octets."""
    loop, world = _world()
    private = private_of(1)
    signed = _tokens()[0].rpartition(".")[0].encode()

    async def mint() -> int:
        for _ in range(MINTED):
            await world.surface.mint.access_token(world.app)
        return MINTED

    def reference() -> int:
        for _ in range(MINTED):
            private.sign(signed, PKCS1v15(), SHA256())
        return MINTED

    return lambda: loop.run_until_complete(mint()), reference


def measure_verify() -> tuple[Run, Run]:
    """First sights of two thousand different tokens."""
    loop, world = _world()
    tokens = _tokens()
    # It remembers one verdict, so that each of the tokens is new to it.
    verifier = Verifier(world.surface.standing, world.clock, BASES, verdicts_max=1)
    return lambda: loop.run_until_complete(_seen(verifier.verify, tokens)), _bare_verify(tokens)


def measure_verify_cached() -> tuple[Run, Run]:
    """Further sights of tokens that are in use."""
    loop, world = _world()
    tokens = _tokens()[:200] * (SIGHTS // 200)
    verify = world.surface.verifier.verify
    loop.run_until_complete(_seen(verify, tokens[:200]))
    return lambda: loop.run_until_complete(_seen(verify, tokens)), _bare_verify(_tokens())


async def _seen(verify: Callable[[str, Host], Awaitable[object]], tokens: tuple[str, ...]) -> int:
    for token in tokens:
        await verify(token, Host.API)
    return len(tokens)


def _bare_verify(tokens: tuple[str, ...]) -> Run:
    """The RSA operation over octets that were split and decoded beforehand."""
    public = key_pair(1).public()
    parts = [token.rpartition(".") for token in tokens]
    ready = [(base64.urlsafe_b64decode(signature + "=="), signed.encode()) for signed, _, signature in parts]

    def reference() -> int:
        for signature, signed in ready:
            public.verify(signature, signed, PKCS1v15(), SHA256())
        return len(ready)

    return reference
