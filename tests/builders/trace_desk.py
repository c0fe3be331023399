"""The route of traces on a real database, a route that is traced, and callers of two tenants.

`north` and `south` may look up traces; `blind` of tnt_north may not.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from cloud.foundation.db import Database
from cloud.foundation.http import Json, Parts, Request, Response, Scopes
from cloud.foundation.trace import note_error
from cloud.foundation.tracing import Spans, spans_of
from cloud.partners.tracing.routes import routes
from tests.builders.http_client import Client, ReadResponse, client_of
from tests.builders.http_surface import KnownTokens, caller, route, surface
from tests.builders.parts import make_parts

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
READ = ("read", "argus:observability:read")
CALLERS = {
    "north": caller(scopes=READ),
    "blind": caller(),
    "south": caller(tenant="tnt_south", organization="org_south", client="app_south", scopes=READ),
}


@dataclass
class TraceDesk:
    """A client of the api host. `spans` records the spans of its requests."""

    client: Client
    parts: Parts
    spans: Spans

    async def ask(self, path: str, who: str = "north", *, trace: str | None = TRACE, **headers: str) -> ReadResponse:
        """Send a GET as the caller `who`, in the trace `trace`; None: without `traceparent`."""
        given = {"Authorization": f"Bearer {who}", **headers}
        if trace is not None:
            given["traceparent"] = f"00-{trace}-{PARENT}-00"
        return await self.client.ask(path, headers=given)

    async def look_up(self, trace_id: str = TRACE, who: str = "north") -> ReadResponse:
        """Look up a trace, in a request of another trace."""
        return await self.ask(f"/v1/observability/traces/{trace_id}", who, trace=None)

    async def spans_of(self, trace_id: str = TRACE, who: str = "north") -> list[dict[str, Any]]:
        """Return the spans of a trace; an empty list if it is unknown."""
        found = await self.look_up(trace_id, who)
        return list(found.document["spans"]) if found.status == 200 else []


@asynccontextmanager
async def trace_desk(database: Database, *, spans: Spans | None = None) -> AsyncIterator[TraceDesk]:
    """Serve the route of traces, and `/things/{id}`, which makes one transaction and one read, and whose response masks
    an error for the id `masked`."""
    parts = make_parts(database, made={} if spans is None else {spans_of: spans})
    recorder = parts.shared(spans_of)

    async def read_thing(request: Request) -> Response:
        async with database.transaction():
            pass
        async with database.read():
            pass
        if request.path["id"] == "masked":
            note_error(ValueError("canary"))
        return Json({"ok": True})

    thing = route("/things/{id}", read_thing, scopes=Scopes.any_of("read"))
    rows = (thing, *routes(parts))
    async with surface(*rows, tokens=KnownTokens(dict(CALLERS)), spans=recorder) as served, client_of(served) as client:
        yield TraceDesk(client, parts, recorder)
