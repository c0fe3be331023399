"""An HTTP client for a server that a test has started."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from multidict import CIMultiDictProxy

from cloud.foundation.http import Host
from tests.builders.http_surface import Surface

GOOD = {"Authorization": "Bearer good"}


@dataclass(frozen=True)
class ReadResponse:
    """An HTTP response whose body has been read completely."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def document(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.document["code"])


@dataclass(frozen=True)
class Client:
    """A client that sends requests to one test server over kept-alive connections."""

    session: aiohttp.ClientSession
    surface: Surface

    async def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | list[tuple[str, str]] = {},  # noqa: B006  never changed
        host: Host = Host.API,
        json: object = None,
        data: bytes | None = None,
    ) -> ReadResponse:
        if json is not None:
            data = orjson.dumps(json)
            headers = {"Content-Type": "application/json", **dict(headers)}
        url = self.surface.url(path, host)
        async with self.session.request(method, url, headers=headers, data=data, allow_redirects=False) as answer:
            return ReadResponse(answer.status, answer.headers, await answer.read())


@asynccontextmanager
async def client_of(surface: Surface) -> AsyncIterator[Client]:
    """Yield a client of the server. It adds no Content-Type, User-Agent or Accept-Encoding of its own."""
    quiet = ("Content-Type", "User-Agent", "Accept-Encoding")
    async with aiohttp.ClientSession(skip_auto_headers=quiet) as session:
        yield Client(session, surface)
