"""The client of the Argus API.

It is synchronous: integrations are scripts, workers and request handlers with threads, and one way to call an operation
is enough. Threads may share a client.
"""

from types import TracebackType
from typing import Self

import httpx

from argus_sdk.api import Api
from argus_sdk.credentials import AccessToken, ClientCredentials, TokenSource
from argus_sdk.operations.clinical import Devices, Encounters
from argus_sdk.operations.group import new_idempotency_key
from argus_sdk.operations.platform import Apps, Scopes, Webhooks
from argus_sdk.operations.work import Discovery, Evidence, Graphql, Jobs, Observability
from argus_sdk.transport import Connection, Timing

__all__ = ["AccessToken", "Argus", "ClientCredentials", "Timing", "new_idempotency_key"]


class Argus:
    """The operations of the API in groups. Close it, or use it in a `with` block.

    `auth_url` and `api_url` are the public addresses of the two hosts. `tokens` are `ClientCredentials` of an app, or
    an `AccessToken`. `http` is a client of httpx with settings of your own, such as a proxy or a private certificate
    authority; the SDK closes it. `timing` replaces the clock and the pauses in tests.
    """

    def __init__(
        self,
        *,
        auth_url: str,
        api_url: str,
        tokens: TokenSource,
        http: httpx.Client | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._connection = Connection(http, timing)
        self.auth_host = Api(auth_url, self._connection, tokens)
        self.api_host = Api(api_url, self._connection, tokens)
        self.scopes = Scopes(self.auth_host)
        self.apps = Apps(self.auth_host)
        self.webhooks = Webhooks(self.auth_host)
        self.devices = Devices(self.api_host)
        self.encounters = Encounters(self.api_host)
        self.jobs = Jobs(self.api_host)
        self.evidence = Evidence(self.api_host)
        self.graphql = Graphql(self.api_host)
        self.observability = Observability(self.api_host)
        self.discovery = Discovery(self.api_host)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
