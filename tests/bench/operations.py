"""`graphql.*`: the way from the text of a document to what is executed, and the indicators of a large tenant.

`graphql.trusted_document` is the rate at which a request's document is approved and its plan found, with the check of
scopes and variables, but without execution: of a document that a bundle grants to the app, with the query that finds
the grant. `graphql.trusted_document.sparkline` is the same of the built-in document of `acqiMetrics` with its trend.
The reference parses and validates the same document with graphql-core, and checks the variables in the same way.

`acqi.metrics.*` is the time of `acqiMetrics` with its trend over a year of a million encounters.
"""

import asyncio
import atexit
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from graphql import parse, validate

from cloud.access.apps import Apps, Wanted
from cloud.access.tenancy import Tenancy
from cloud.clinical.acqi.graph import ACQI_READ, DOCUMENT_WITH_SPARKLINE
from cloud.clinical.acqi.indicators import INDICATORS
from cloud.clinical.acqi.model import DAY_US
from cloud.clinical.acqi.service import DAYS_MAX, Acqi
from cloud.clinical.acqi.tables import acqi_days, acqi_encounters, acqi_tenant_days
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, migrate, open_database
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor, Viewer
from cloud.partners.graphql.approval import Approval
from cloud.partners.graphql.bundles import Bundles
from cloud.partners.graphql.document import read_document
from cloud.partners.graphql.execution import check_scopes, check_variables
from cloud.partners.graphql.schema import make_plan, schema
from cloud.partners.graphql.schemas import GraphqlRequest
from tests.bench.frame import Figure, plain_figure
from tests.builders.http_surface import caller
from tests.harness.postgresql import postgresql_running

Run = Callable[[], int]
Result = TypeVar("Result")

NAMES = ("acqi.metrics.sqlite", "acqi.metrics.postgresql")
SMALL = "query Encounter($id: ID!) { encounter(id: $id) { id status } }"
ROUNDS = 200
ENCOUNTERS = 1_000_000
ORGANIZATIONS = 10
READS = 15
RANGE = {"from": "2026-04-01T00:00:00Z", "to": "2026-04-17T00:00:00Z"}
FIRST_DAY = 20_000


class _Place:
    """One event loop and one database, which stay open until the interpreter ends."""

    def __init__(self, *, postgresql: bool = False) -> None:
        self.loop = asyncio.new_event_loop()
        if postgresql:
            cluster = postgresql_running()
            served = cluster.__enter__()
            atexit.register(cluster.__exit__, None, None, None)
            served.administer("CREATE DATABASE ours TEMPLATE template0")
            url = served.url("ours")
        else:
            folder = tempfile.mkdtemp()
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            url = f"sqlite:///{Path(folder) / 'cloud.db'}"
        self.run(migrate(url, create=True))
        self.database: Database = self.run(open_database(url))
        atexit.register(lambda: self.run(self.database.close()))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)


def measure_granted() -> tuple[Run, Run]:
    """Return the two runs for a small document that a bundle grants."""
    place = _Place()
    place.run(_grant(place.database))
    return _pair(place, SMALL, {"id": "enc_123"}, "argus:epcr:read")


def measure_sparkline() -> tuple[Run, Run]:
    """Return the two runs for the built-in document with a trend."""
    return _pair(_Place(), DOCUMENT_WITH_SPARKLINE, RANGE, ACQI_READ)


async def _grant(database: Database) -> None:
    clock = SystemClock()
    ids, operator = UlidIds(clock), Actor.operator("tnt_north")
    await Tenancy(database, clock, ids).add_tenant("North", id="tnt_north")
    await Apps(database, clock, ids).register(
        operator, Wanted(name="North", scopes={"argus:epcr:read"}, client_id="app_north")
    )
    bundles = Bundles(database, clock)
    await bundles.register("bench", 1, [SMALL])
    await bundles.grant(operator, "app_north", "bench", 1)


def _pair(place: _Place, text: str, variables: dict[str, str], scope: str) -> tuple[Run, Run]:
    approval, who = Approval(place.database, SystemClock()), caller(scopes=(scope,))
    body = {"query": text, "variables": variables}
    plan = make_plan(read_document(text))

    async def approve() -> None:
        for _ in range(ROUNDS):
            request = GraphqlRequest.model_validate(body)
            found = await approval.find_plan(who, request)
            check_scopes(found, who.scopes)
            check_variables(found, variables)

    def ours() -> int:
        place.run(approve())
        return ROUNDS

    def reference() -> int:
        for _ in range(ROUNDS):
            request = GraphqlRequest.model_validate(body)
            assert request.query is not None
            assert not validate(schema(), parse(request.query))
            check_variables(plan, variables)
        return ROUNDS

    return ours, reference


def measure_sqlite() -> Figure:
    """Return the time of the indicators of a year over a million encounters, on SQLite."""
    return _metrics(NAMES[0], _Place())


def measure_postgresql() -> Figure:
    """Return the same on PostgreSQL."""
    return _metrics(NAMES[1], _Place(postgresql=True))


def _metrics(name: str, place: _Place) -> Figure:
    place.run(_fill(place.database))
    acqi, viewer = Acqi(place.database), Viewer("tnt_north", None)
    # Neither end at midnight, so that the encounters of two days are read as well.
    begin_us = FIRST_DAY * DAY_US + DAY_US // 2
    times_ms = []
    for _ in range(READS):
        began_s = time.perf_counter()
        (first, *_) = place.run(acqi.metrics(viewer, begin_us, begin_us + (DAYS_MAX - 1) * DAY_US))
        times_ms.append((time.perf_counter() - began_s) * 1e3)
        assert first.sums.denominator > ENCOUNTERS / 10
    return plain_figure(name, "ms", statistics.median(times_ms), (min(times_ms), max(times_ms)))


async def _fill(database: Database) -> None:
    """Store the scores of a million encounters and their sums, as scoring leaves them: each counts for six
    indicators."""
    each_day = ENCOUNTERS // DAYS_MAX
    sums = [
        ("tnt_north", day, f"org_{number}", 0, one.name, each_day // 10 // 2, each_day // 10)
        for day in range(FIRST_DAY, FIRST_DAY + DAYS_MAX + 1)
        for number in range(ORGANIZATIONS)
        for one in INDICATORS
    ]
    columns = ("tenant_id", "day", "organization_id", "secrecy_level", "indicator", "numerator", "denominator")
    scores = "{" + ",".join(f'"{one.name}":[1,1]' for one in INDICATORS[:6]) + "}"
    encounters = [
        (
            "tnt_north",
            f"enc_{number:07}",
            f"org_{number % ORGANIZATIONS}",
            0,
            FIRST_DAY * DAY_US + number * (DAYS_MAX * DAY_US // ENCOUNTERS),
            scores,
        )
        for number in range(ENCOUNTERS)
    ]
    names = ("tenant_id", "encounter_id", "organization_id", "secrecy_level", "at_us", "scores")
    of_tenant = [
        ("tnt_north", one.name, day, 0, each_day // 2, each_day)
        for day in range(FIRST_DAY, FIRST_DAY + DAYS_MAX + 1)
        for one in INDICATORS
    ]
    tenant_columns = ("tenant_id", "indicator", "day", "secrecy_level", "numerator", "denominator")
    async with database.transaction() as tx:
        await tx.driver.append(acqi_days, columns, sums)
        await tx.driver.append(acqi_tenant_days, tenant_columns, of_tenant)
    for start in range(0, len(encounters), 50_000):
        async with database.transaction() as tx:
            await tx.driver.append(acqi_encounters, names, encounters[start : start + 50_000])
