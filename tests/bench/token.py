"""`token.*`: the rates of issuing and verifying tokens, against the bare RSA operation with the same key.

`mint` issues a service token for an administrator: the check of the app's rules, claims, key, signature, and the entry
in the audit trail, which is durable before the token is returned. Its reference is the bare signature and a durable
insert of a row of the same width. `mint_access` is the work of the token endpoint after client authentication, which
writes nothing for each token: claims, key, signature, and the check that the key stays published for long enough.
`verify` is the first verification of each token: length, header, signature, claims, time, audience, and whether the
token, its app or its user was disabled before the token's expiry. `verify_cached` is every later verification.
"""

import asyncio
import atexit
import base64
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import asyncpg
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from cloud.access.tokens import Verifier
from cloud.foundation.db import migrate, open_database
from cloud.foundation.http.host import Host
from tests.builders.auth_world import BASES, AuthWorld, auth_world, key_pair, private_of
from tests.harness.postgresql import postgresql_running

Run = Callable[[], int]

MINTED = 200
TOKENS = 2_000
SIGHTS = 20_000


@dataclass(frozen=True)
class _Place:
    """One event loop and one database, shared by all token benchmarks on that database; `insert` adds a durable row to
    a second, plain database."""

    loop: asyncio.AbstractEventLoop
    world: AuthWorld
    insert: Callable[[tuple[object, ...]], object]


@cache
def _place(*, postgresql: bool = False) -> _Place:
    """Return the event loop and the database, which are opened once and stay open until the interpreter ends."""
    kept = ExitStack()
    atexit.register(kept.close)
    loop = asyncio.new_event_loop()
    if postgresql:
        cluster = kept.enter_context(postgresql_running())
        cluster.administer("CREATE DATABASE ours TEMPLATE template0", "CREATE DATABASE raw TEMPLATE template0")
        url = cluster.url("ours")
        insert = _raw_postgresql(loop, cluster.url("raw"))
    else:
        folder = Path(kept.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'cloud.db'}"
        insert = _raw_sqlite(folder / "raw.db")
    loop.run_until_complete(migrate(url, create=True))

    async def opened() -> AuthWorld:
        return await auth_world(await open_database(url))

    return _Place(loop, loop.run_until_complete(opened()), insert)


_COLUMNS = "tenant_id, organization_id, at_us, actor, client_id, action, object, outcome, trace_id, metadata"
_TABLE = "CREATE TABLE entries (id {key}, " + ", ".join(f"{name} TEXT" for name in _COLUMNS.split(", ")) + ")"
_ROW: tuple[str, ...] = (
    *("tnt_north", "org_north", "1774353600000000", "usr_1", "app_north"),
    *("app.service_token", "app_north", "done", "0" * 32, '{"jti":"tok_01KMFVEKG0GE4EV2BTQSAQF5Z8"}'),
)


def _raw_sqlite(path: Path) -> Callable[[tuple[object, ...]], object]:
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute(_TABLE.format(key="INTEGER PRIMARY KEY"))
    statement = f"INSERT INTO entries ({_COLUMNS}) VALUES ({', '.join('?' * 10)})"  # noqa: S608  names of our own
    return lambda row: raw.execute(statement, row)


def _raw_postgresql(loop: asyncio.AbstractEventLoop, url: str) -> Callable[[tuple[object, ...]], object]:
    raw = loop.run_until_complete(asyncpg.connect(url))
    loop.run_until_complete(raw.execute(_TABLE.format(key="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")))
    places = ", ".join(f"${number}" for number in range(1, 11))
    statement = f"INSERT INTO entries ({_COLUMNS}) VALUES ({places})"  # noqa: S608  names of our own
    prepared = loop.run_until_complete(raw.prepare(statement))
    return lambda row: loop.run_until_complete(prepared.fetch(*row))


def _world(*, postgresql: bool = False) -> tuple[asyncio.AbstractEventLoop, AuthWorld]:
    place = _place(postgresql=postgresql)
    return place.loop, place.world


@cache
def _tokens(*, postgresql: bool = False) -> tuple[str, ...]:
    loop, world = _world(postgresql=postgresql)

    async def minted() -> tuple[str, ...]:
        return tuple([await world.token() for _ in range(TOKENS)])

    return loop.run_until_complete(minted())


def measure_mint(*, postgresql: bool = False) -> tuple[Run, Run]:
    """Return two runs: service tokens issued, and bare RSA signatures of the same bytes, each with a durable insert
    after it."""
    loop, world = _world(postgresql=postgresql)
    sign, insert = _bare_signature(postgresql=postgresql), _place(postgresql=postgresql).insert

    async def mint() -> int:
        for _ in range(MINTED):
            await world.surface.service_token(world.home.operator, world.app, None, None)
        return MINTED

    def reference() -> int:
        for _ in range(MINTED):
            sign()
            insert(_ROW)
        return MINTED

    return lambda: loop.run_until_complete(mint()), reference


def measure_mint_access(*, postgresql: bool = False) -> tuple[Run, Run]:
    """Return two runs: access tokens issued, and bare RSA signatures of the same bytes."""
    loop, world = _world(postgresql=postgresql)
    sign = _bare_signature(postgresql=postgresql)

    async def mint() -> int:
        for _ in range(MINTED):
            await world.surface.mint.access_token(world.app)
        return MINTED

    def reference() -> int:
        for _ in range(MINTED):
            sign()
        return MINTED

    return lambda: loop.run_until_complete(mint()), reference


def _bare_signature(*, postgresql: bool) -> Callable[[], object]:
    private = private_of(1)
    signed = _tokens(postgresql=postgresql)[0].rpartition(".")[0].encode()
    return lambda: private.sign(signed, PKCS1v15(), SHA256())


def measure_verify(*, postgresql: bool = False) -> tuple[Run, Run]:
    """Return two runs: the first verifications of two thousand different tokens, and bare RSA verifications."""
    loop, world = _world(postgresql=postgresql)
    tokens = _tokens(postgresql=postgresql)
    # The verifier caches one verdict, so every token is verified as a new one.
    verifier = Verifier(world.surface.auth_state, world.clock, BASES, verdicts_max=1)
    return lambda: loop.run_until_complete(_seen(verifier.verify, tokens)), _bare_verify(tokens)


def measure_verify_cached(*, postgresql: bool = False) -> tuple[Run, Run]:
    """Return two runs: repeated verifications of two hundred tokens, and bare RSA verifications."""
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
    """Return a run of RSA verifications of the tokens' bytes, which were split and decoded beforehand."""
    public = key_pair(1).public()
    parts = [token.rpartition(".") for token in tokens]
    ready = [(base64.urlsafe_b64decode(signature + "=="), signed.encode()) for signed, _, signature in parts]

    def reference() -> int:
        for signature, signed in ready:
            public.verify(signature, signed, PKCS1v15(), SHA256())
        return len(ready)

    return reference
