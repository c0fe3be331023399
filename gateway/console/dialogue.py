"""One asker's conversation over the control socket, where a question and its answer are not enough: pairing asks back.

Lines of JSON both ways. The gateway tells steps, may ask (one question at a time, each with a time limit), and ends
with its last word; the asker answers questions with {"answer": …} and says nothing else. An asker that hangs up, speaks
out of turn or stays silent for too long ends the conversation, and with it, by cancellation, what it was about.

What is said is the business of who converses (`ble_desk`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

DIALOGUE_S = 180.0
"""The longest conversation: a person walks to the device, switches it on, and reads six digits from it."""

Line = Mapping[str, Any]


class Dialogue:
    """The gateway's side. Made by the control server; the handler only tells and asks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked: asyncio.Future[Any] | None = None

    async def tell(self, line: Line) -> None:
        """One line to the asker. OSError when it has hung up."""
        self._writer.write(orjson.dumps(line) + b"\n")
        await self._writer.drain()

    async def ask(self, line: Line, within_s: float) -> Any:
        """The asker's answer to the question `line`, any JSON value. TimeoutError when it does not come."""
        assert self._asked is None, "one question at a time"
        self._asked = asyncio.get_running_loop().create_future()
        try:
            await self.tell(line)
            async with asyncio.timeout(within_s):
                return await self._asked
        finally:
            self._asked = None

    async def run(self, converse: Callable[["Dialogue"], Awaitable[None]]) -> None:
        """`converse`, until it is done, the asker has gone, or the time is over. Whatever it raises is raised here."""
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
        """Return when the asker has hung up or spoke out of turn."""
        while line := await self._reader.readline():
            said = orjson.loads(line)
            if self._asked is None or self._asked.done() or not isinstance(said, dict) or "answer" not in said:
                return
            self._asked.set_result(said["answer"])
