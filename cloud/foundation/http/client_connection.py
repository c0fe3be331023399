"""The view that a request and its response have of their connection; `connection.Connection` has all of it."""

import asyncio
from typing import Protocol


class ClientConnection(Protocol):
    """A connection to one client. `transport` None: it is lost. `large_reads`: heads on it have to be measured."""

    transport: asyncio.Transport | None
    large_reads: bool
    peer_address: str

    @property
    def ending(self) -> bool: ...

    @property
    def writing_paused(self) -> bool: ...

    async def drain(self) -> None: ...

    def await_client(self, *, in_progress: bool) -> None: ...

    def serve_client(self) -> None: ...

    def hold_body(self, count: int) -> None: ...

    def release_body(self) -> None: ...
