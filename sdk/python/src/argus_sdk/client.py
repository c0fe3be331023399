"""The client of the Argus API.

It is synchronous: integrations are scripts, workers and request handlers with threads, and one way to call an operation
is enough. Threads may share a client.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal, Self, Unpack

import httpx

from argus_sdk.api import Api, Query, Reply, RequestOptions, is_on_auth_host
from argus_sdk.credentials import AccessToken, ClientCredentials, TokenSource
from argus_sdk.operations.clinical import Devices, Encounters
from argus_sdk.operations.group import new_idempotency_key
from argus_sdk.operations.platform import Apps, Scopes, Webhooks
from argus_sdk.operations.work import Discovery, Evidence, Graphql, Jobs, Observability
from argus_sdk.transport import TIMEOUT_S, Connection, Timing

__all__ = ["AccessToken", "Argus", "ClientCredentials", "Reply", "RequestOptions", "Timing", "new_idempotency_key"]

Host = Literal["api", "auth"]


class Argus:
    """The operations of the API in groups, and any request. Close it, or use it in a `with` block.

    `auth_url` and `api_url` are the public addresses of the two hosts. `tokens` are `ClientCredentials` of an app, or
    an `AccessToken`. `timeout_s` is the longest pause before and within a response. `http` is a client of httpx with
    settings of your own, such as a proxy or a private certificate authority; the SDK closes it. `timing` replaces the
    clock and the pauses in tests.
    """

    def __init__(
        self,
        *,
        auth_url: str,
        api_url: str,
        tokens: TokenSource,
        timeout_s: float = TIMEOUT_S,
        http: httpx.Client | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._connection = Connection(http, timing, timeout_s)
        self._hosts: dict[Host, Api] = {
            "auth": Api(auth_url, self._connection, tokens),
            "api": Api(api_url, self._connection, tokens),
        }
        self.scopes = Scopes(self._hosts["auth"])
        self.apps = Apps(self._hosts["auth"])
        self.webhooks = Webhooks(self._hosts["auth"])
        self.devices = Devices(self._hosts["api"])
        self.encounters = Encounters(self._hosts["api"])
        self.jobs = Jobs(self._hosts["api"])
        self.evidence = Evidence(self._hosts["api"])
        self.graphql = Graphql(self._hosts["api"])
        self.observability = Observability(self._hosts["api"])
        self.discovery = Discovery(self._hosts["api"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def request(self, method: str, path: str, *, host: Host | None = None, **options: Unpack[RequestOptions]) -> Any:
        """Send any request with the token; return the JSON value of the response, None without a body.

        `host` None: by the path, as the OpenAPI document states it. `RequestOptions` describes the other options.
        """
        return self._host(path, host).request(method, path, **options)

    def exchange(self, method: str, path: str, *, host: Host | None = None, **options: Unpack[RequestOptions]) -> Reply:
        """Send a request as `request` does, and return the whole response: its `ETag` is in `headers`, and the status
        of an unchanged object is 304."""
        return self._host(path, host).exchange(method, path, **options)

    def list(self, path: str, *, query: Query | None = None, host: Host | None = None) -> Iterator[Any]:
        """Yield the items of any list, page by page as they are read."""
        return self._host(path, host).pages(path, query)

    def _host(self, path: str, host: Host | None) -> Api:
        return self._hosts[host or ("auth" if is_on_auth_host(path) else "api")]

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
