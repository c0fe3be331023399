"""The part of a connection that a request and its response use. `connection.Connection` implements it."""

import asyncio
from typing import Protocol


class ClientConnection(Protocol):
    """A connection to one client, as its requests and responses use it. `transport` is None when the connection is
    lost. `large_reads` is True once so many bytes arrived together that a request head could exceed its size limit.
    Each head must then be
    measured. `streaming` is True while a streamed body is sent, which has its own limit of time."""

    transport: asyncio.Transport | None
    large_reads: bool
    peer_address: str
    streaming: bool

    @property
    def ending(self) -> bool: ...

    @property
    def writing_paused(self) -> bool: ...

    async def drain(self) -> None: ...

    def await_client(self, *, in_progress: bool) -> None: ...

    def serve_client(self) -> None: ...

    def hold_body(self, count: int) -> None: ...

    def release_body(self) -> None: ...
