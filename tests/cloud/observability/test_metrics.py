"""Metrics are declared in one table, contain nothing about people, and are served at a separate address."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloud.foundation.errors import DomainError
from cloud.foundation.http import RateClass
from cloud.foundation.http.settings import HttpSection
from cloud.foundation.observability.metrics import (
    EVENTS_WAITING,
    FIGURES,
    HTTP_IN_FLIGHT,
    HTTP_PARSER_REFUSALS,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    RATE_LIMITED,
    SCRAPE_FAILURES,
    UNROUTED,
    Kind,
    Metrics,
    MetricsListenerFailed,
    MetricsServer,
)
from cloud.foundation.settings import Address
from tests.builders.http_surface import route, surface


async def waiting(metrics: Metrics) -> None:
    metrics.set(EVENTS_WAITING, 7)


async def unavailable(_metrics: Metrics) -> None:
    raise DomainError


@pytest.fixture
async def offered() -> AsyncIterator[tuple[Metrics, str]]:
    metrics = Metrics()
    server = MetricsServer(metrics, Address("127.0.0.1", 0), [("events", waiting), ("database", unavailable)])
    address = await server.start()
    yield metrics, f"http://{address}"
    await server.stop()


async def scraped(url: str, accept: str = "text/plain") -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as client, client.get(url, headers={"Accept": accept}) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_metrics_scrape_returns_counters_and_values_sampled_at_the_scrape(offered: tuple[Metrics, str]) -> None:
    metrics, url = offered
    metrics.request_began("api")
    metrics.request_ended("api", "GET", "/api/v1/devices", 200, 0.004)
    status, kind, text = await scraped(f"{url}/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["argus_events_waiting"].samples[0].value == 7
    counted = families["argus_http_requests"].samples[0]
    assert (counted.value, counted.labels["route"], counted.labels["status"]) == (1, "/api/v1/devices", "200")
    assert metrics.value(HTTP_SECONDS, "api", "GET", "/api/v1/devices") == 1
    assert metrics.value(HTTP_IN_FLIGHT, "api") == 0


async def test_metrics_scrape_succeeds_and_counts_the_failure_when_one_sample_fails(
    offered: tuple[Metrics, str],
) -> None:
    metrics, url = offered
    status, _, text = await scraped(f"{url}/metrics", "application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert text.endswith("# EOF\n")
    assert metrics.value(SCRAPE_FAILURES, "database") == 1


async def test_metrics_listener_returns_404_for_other_paths(offered: tuple[Metrics, str]) -> None:
    _, url = offered
    for path in ("/", "/api/v1/devices", "/metrics/x"):
        assert (await scraped(url + path))[0] == 404


def test_requests_without_a_route_share_one_metric_label() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.request_began("api")
        metrics.request_ended("api", f"WORD{number}", None, 405, 0.001)
    assert metrics.value(HTTP_REQUESTS, "api", UNROUTED, UNROUTED, "405") == 50


def test_metric_names_have_unit_suffixes_and_labels_come_from_a_fixed_set() -> None:
    for figure in FIGURES:
        assert re.fullmatch(r"argus_[a-z_]+", figure.name)
        assert (figure.kind is Kind.COUNTER) == figure.name.endswith("_total")
        assert figure.kind is not Kind.HISTOGRAM or figure.name.endswith("_seconds")
        assert set(figure.labels) <= {"host", "method", "route", "status", "rate_class", "part", "kind"}
        assert figure.meaning.endswith(".")


async def test_served_requests_are_counted_by_route_and_refused_requests_by_reason() -> None:
    metrics = Metrics()
    row = route("/things/{thingId}", rate_class=RateClass.PUBLIC)
    async with (
        surface(row, limits=HttpSection(public_per_minute=2), observer=metrics) as served,
        aiohttp.ClientSession() as client,
    ):
        statuses = []
        for path in ("/things/a", "/things/b", "/things/c", "/elsewhere"):
            async with client.get(served.url(path)) as answer:
                statuses.append(answer.status)
        reader, writer = await asyncio.open_connection(*served.at())
        writer.write(b"HELLO\r\n\r\n")
        await reader.read()
        writer.close()
    assert statuses == [200, 200, 429, 429]
    assert metrics.value(HTTP_REQUESTS, "api", "GET", "/things/{thingId}", "200") == 2
    assert metrics.value(HTTP_REQUESTS, "api", "GET", "/things/{thingId}", "429") == 1
    assert metrics.value(HTTP_REQUESTS, "api", UNROUTED, UNROUTED, "429") == 1
    assert metrics.value(RATE_LIMITED, "api", "public") == 2
    assert metrics.value(HTTP_PARSER_REFUSALS, "400") == 1
    assert metrics.value(HTTP_IN_FLIGHT, "api") == 0


def test_operator_guide_lists_exactly_the_existing_metrics() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "operator.md").read_text()
    assert set(re.findall(r"`(argus_[a-z_]+)`", guide)) == {figure.name for figure in FIGURES}


async def test_error_reports_that_the_listen_address_of_metrics_is_in_use(offered: tuple[Metrics, str]) -> None:
    _, url = offered
    port = int(url.rpartition(":")[2])
    with pytest.raises(MetricsListenerFailed, match="metrics address is in use"):
        await MetricsServer(Metrics(), Address("127.0.0.1", port)).start()
