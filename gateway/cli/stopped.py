"""Opens the store of a stopped gateway, for commands that read its files."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.buffer import Buffer, BufferSettings
from gateway.security.identity import Identity
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.settings import Settings
from gateway.transports.clock import SystemClock


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Buffer]:
    """Yield the opened store. Raises `IdentityUnusable`, or `BufferUnusable`, for example while another process uses
    the store."""
    identity = Identity.load(settings.identity_dir)
    buffer = await Buffer.open(
        settings.store_path,
        gateway=settings.gateway.id,
        key=identity.store_key,
        settings=BufferSettings(),
        clock=TrustedClock(SystemClock()),
    )
    try:
        yield buffer
    finally:
        await buffer.close()
