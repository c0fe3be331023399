"""Conversation with one client over the control socket, for requests that need more than one response.

Both sides send lines of JSON. The gateway reports steps, may send questions (one at a time, each with a time limit),
and ends with a result. The client sends only replies to questions, `{"answer": …}`. If the client hangs up or sends
anything else, or DIALOGUE_S have passed, the conversation ends and its operation is cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

DIALOGUE_S = 180.0
"""Upper bound on a conversation: an operator walks to the device, switches it on, and reads six digits from it."""

Line = Mapping[str, Any]


class Dialogue:
    """The gateway's side of a conversation. The control server runs it; a handler calls only `send` and `query`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._reply: asyncio.Future[Any] | None = None

    async def send(self, line: Line) -> None:
        """Send one line to the client. Raises OSError where the client has hung up."""
        self._writer.write(orjson.dumps(line) + b"\n")
        await self._writer.drain()

    async def query(self, line: Line, within_s: float) -> Any:
        """Send a question to the client and return the reply, any JSON value. Raises TimeoutError after `within_s`."""
        assert self._reply is None, "one question at a time"
        self._reply = asyncio.get_running_loop().create_future()
        try:
            await self.send(line)
            async with asyncio.timeout(within_s):
                return await self._reply
        finally:
            self._reply = None

    async def run(self, converse: Callable[["Dialogue"], Awaitable[None]]) -> None:
        """Run `converse` until it returns, the client has hung up or sent an unexpected line, or DIALOGUE_S have
        passed. Raises the errors of `converse`."""
        talking = asyncio.ensure_future(converse(self))
        hearing = asyncio.ensure_future(self._hear())
        try:
            await asyncio.wait([talking, hearing], timeout=DIALOGUE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over = not talking.done()
            talking.cancel()
            hearing.cancel()
            await asyncio.gather(talking, hearing, return_exceptions=True)
        if not over:
            talking.result()

    async def _hear(self) -> None:
        """Receive replies. Return when the client has hung up or sent an unexpected line."""
        while line := await self._reader.readline():
            body = orjson.loads(line)
            if self._reply is None or self._reply.done() or not isinstance(body, dict) or "answer" not in body:
                return
            self._reply.set_result(body["answer"])
