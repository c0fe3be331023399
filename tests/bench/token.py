"""`token.*`: minting and verifying access tokens, against the bare RSA operation with the same key.

`verify` is the first sight of each token: length, header, signature, claims, time, audience, and whether token, app or
user ended early. `verify_cached` is every further sight. `mint` is what the token endpoint does once the client is
proved: claims, key, signature, and the promise that the key stays published for long enough.
"""

import asyncio
import atexit
import base64
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from cloud.db import migrate, open_database
from cloud.http.host import Host
from cloud.tokens import Verifier
from tests.builders.auth_world import BASES, AuthWorld, auth_world, key_pair, private_of
from tests.harness.postgresql import postgresql_running

Run = Callable[[], int]

MINTED = 200
TOKENS = 2_000
SIGHTS = 20_000


@cache
def _world(*, postgresql: bool = False) -> tuple[asyncio.AbstractEventLoop, AuthWorld]:
    """One loop and one database for all figures of a kind, until the interpreter ends."""
    kept = ExitStack()
    atexit.register(kept.close)
    loop = asyncio.new_event_loop()
    if postgresql:
        cluster = kept.enter_context(postgresql_running())
        cluster.administer("CREATE DATABASE ours TEMPLATE template0")
        url = cluster.url("ours")
    else:
        url = f"sqlite:///{Path(kept.enter_context(tempfile.TemporaryDirectory())) / 'cloud.db'}"
    loop.run_until_complete(migrate(url))

    async def opened() -> AuthWorld:
        return await auth_world(await open_database(url))

    return loop, loop.run_until_complete(opened())


@cache
def _tokens(*, postgresql: bool = False) -> tuple[str, ...]:
    loop, world = _world(postgresql=postgresql)

    async def minted() -> tuple[str, ...]:
        return tuple([await world.token() for _ in range(TOKENS)])

    return loop.run_until_complete(minted())


def measure_mint(*, postgresql: bool = False) -> tuple[Run, Run]:
    """Ours against RSA signatures of the same octets."""
    loop, world = _world(postgresql=postgresql)
    private = private_of(1)
    signed = _tokens(postgresql=postgresql)[0].rpartition(".")[0].encode()

    async def mint() -> int:
        for _ in range(MINTED):
            await world.surface.mint.access_token(world.app)
        return MINTED

    def reference() -> int:
        for _ in range(MINTED):
            private.sign(signed, PKCS1v15(), SHA256())
        return MINTED

    return lambda: loop.run_until_complete(mint()), reference


def measure_verify(*, postgresql: bool = False) -> tuple[Run, Run]:
    """First sights of two thousand different tokens."""
    loop, world = _world(postgresql=postgresql)
    tokens = _tokens(postgresql=postgresql)
    # It remembers one verdict, so that each of the tokens is new to it.
    verifier = Verifier(world.surface.standing, world.clock, BASES, verdicts_max=1)
    return lambda: loop.run_until_complete(_seen(verifier.verify, tokens)), _bare_verify(tokens)


def measure_verify_cached(*, postgresql: bool = False) -> tuple[Run, Run]:
    """Further sights of tokens that are in use."""
    loop, world = _world(postgresql=postgresql)
    tokens = _tokens(postgresql=postgresql)[:200] * (SIGHTS // 200)
    verify = world.surface.verifier.verify
    loop.run_until_complete(_seen(verify, tokens[:200]))
    return lambda: loop.run_until_complete(_seen(verify, tokens)), _bare_verify(_tokens(postgresql=postgresql))


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
