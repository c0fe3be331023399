"""A server with the routes of devices, with or without traces, for the measurement of what traces cost.

`python -m tests.harness.traced_server FOLDER on|off` prints its port when it listens, and runs until it is killed.
"""

import asyncio
import shutil
import sys
from pathlib import Path

import structlog

import cloud.slices  # noqa: F401  declares the slices, which the surface needs
from cloud.clinical.devices import routes as devices_routes
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import open_database
from cloud.foundation.http import HttpSection
from cloud.foundation.tracing import Spans
from tests.builders.cloud_people import household
from tests.builders.http_surface import KnownTokens, caller, surface
from tests.builders.parts import make_parts
from tests.harness.databases import migrated_file

UNLIMITED = HttpSection(requests_per_minute=100_000_000, writes_per_minute=100_000_000)


async def serve(folder: Path, *, is_traced: bool) -> None:
    """Serve a new SQLite database in `folder`. Callers have the token `good`."""
    database = await open_database(f"sqlite:///{shutil.copy(migrated_file(), folder / 'cloud.db')}")
    clock = SystemClock()
    await household(database, clock)
    spans = Spans(database)
    tokens = KnownTokens({"good": caller(scopes=("argus:devices:read",))})
    rows = devices_routes.routes(make_parts(database, clock))
    async with surface(*rows, tokens=tokens, limits=UNLIMITED, spans=spans if is_traced else None) as served:
        print(served.at()[1], flush=True)
        await spans.run(asyncio.Event())


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    asyncio.run(serve(Path(sys.argv[1]), is_traced=sys.argv[2] == "on"))
