"""`make bench`: measure the figures of DESIGN §6, print a table and write `bench.json`; `--only buffer` runs one
group. It ends with status 1 when a figure exceeds its limit, after all of them are measured and written.
"""

import json
import os
import platform
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from protocols.provenance.signatures import Algorithm
from tests.bench import (
    ble,
    buffer,
    crew,
    crew_taps,
    decode,
    encounters,
    evidence,
    exports,
    fhir,
    http,
    ingest,
    ingest_fleet,
    ingest_writes,
    jobs,
    missions,
    numerics,
    operations,
    packed_numerics,
    provenance,
    running,
    scale,
    token,
    tracing,
    uplink,
    waveform_objects,
    waveforms,
    webhooks,
)
from tests.bench.frame import Bench, Figure, measure

RATIOS = (
    Bench(
        name="decode.scan_report",
        unit="APDUs/s",
        reference_is="for b in apdu: x += b & 3 over the same bytes",
        prepare=decode.measure_scan_report,
    ),
    Bench(
        name="decode.scan_report_single",
        unit="APDUs/s",
        reference_is="for b in apdu: x += b & 3 over the same bytes",
        prepare=decode.measure_scan_report_single,
    ),
    Bench(
        name="decode.rtsa",
        unit="APDUs/s",
        reference_is="for b in apdu: x += b & 3 over the same bytes",
        prepare=decode.measure_rtsa,
    ),
    Bench(
        name="ble.notifications",
        unit="notifications/s",
        reference_is="for b in value: x += b & 3 over the same bytes",
        prepare=ble.measure_notifications,
    ),
    *(
        Bench(
            name=f"observations.waveform_decode{suffix}",
            unit="samples/CPU s",
            reference_is="for b in samples: x += b & 3 over the same samples",
            prepare=partial(waveforms.measure_decode, reports_each),
        )
        for suffix, reports_each in (("", waveforms.REPORTS_A_SECOND), (".quarter_second", 1))
    ),
    Bench(
        name="waveform.read",
        unit="samples/s",
        reference_is="decoding of the same payloads from memory",
        prepare=waveform_objects.measure_read,
    ),
    Bench(
        name="buffer.commit",
        unit="observations/s",
        reference_is="raw sqlite3 executemany, FULL, same batch, nine columns a row",
        prepare=buffer.measure_commit,
    ),
    Bench(
        name="buffer.drain",
        unit="observations/s",
        reference_is="raw sqlite3 select and delete of the same rows, FULL",
        prepare=buffer.measure_drain,
    ),
    Bench(
        name="uplink.publish",
        unit="observations/s",
        reference_is="raw QoS 1 publish of the same bytes",
        prepare=uplink.measure_publish,
    ),
    Bench(
        name="ingest.sqlite",
        unit="observations/s",
        reference_is="raw executemany of the same rows",
        prepare=ingest.measure_sqlite,
    ),
    Bench(
        name="ingest.postgresql",
        unit="observations/s",
        reference_is="raw COPY of the same rows",
        prepare=ingest.measure_postgresql,
    ),
    Bench(
        name="ingest.fleet.sqlite",
        unit="batches/s",
        reference_is="raw executemany of the same rows",
        prepare=ingest_fleet.measure_sqlite,
    ),
    Bench(
        name="ingest.fleet.postgresql",
        unit="batches/s",
        reference_is="raw COPY of the same rows",
        prepare=ingest_fleet.measure_postgresql,
    ),
    Bench(
        name="ingest.fleet.postgresql.processes_2",
        unit="batches/s",
        reference_is="raw COPY of the same rows",
        prepare=partial(ingest_fleet.measure_postgresql, processes=2),
    ),
    Bench(
        name="evidence.ingest",
        unit="observations/s",
        reference_is="the same encounter without evidence",
        runs=11,
        prepare=evidence.measure_ingest,
        swap=True,
    ),
    Bench(
        name="evidence.ingest.postgresql",
        unit="observations/s",
        reference_is="the same encounter without evidence",
        runs=11,
        prepare=evidence.measure_ingest_postgresql,
        swap=True,
    ),
    Bench(
        name="http.observation_post",
        unit="requests/s",
        reference_is="a bare aiohttp handler that returns the same bytes",
        prepare=http.measure_observation_post,
        runs=3,
    ),
    Bench(
        name="http.authenticated_get",
        unit="requests/s",
        reference_is="a bare aiohttp handler that returns the same bytes",
        prepare=http.measure_authenticated_get,
        runs=3,
    ),
    Bench(
        name="http.observation_post.postgresql",
        unit="requests/s",
        reference_is="a bare aiohttp handler that returns the same bytes",
        prepare=http.measure_observation_post_postgresql,
        runs=3,
    ),
    Bench(
        name="http.authenticated_get.postgresql",
        unit="requests/s",
        reference_is="a bare aiohttp handler that returns the same bytes",
        prepare=http.measure_authenticated_get_postgresql,
        runs=3,
    ),
    Bench(
        name="tracing.authenticated_get",
        unit="requests/CPU s",
        reference_is="the same server without traces",
        prepare=tracing.measure_authenticated_get,
    ),
    Bench(
        name="fhir.bundle",
        unit="observations/s",
        reference_is="orjson.dumps of the same bundles as dictionaries",
        prepare=fhir.measure_bundle,
    ),
    *(
        Bench(
            name=f"epcr.summary{suffix}",
            unit="requests/s",
            reference_is="a bare aiohttp handler that returns the same bytes",
            prepare=partial(encounters.measure_summary, postgresql=postgresql),
            runs=3,
        )
        for suffix, postgresql in (("", False), (".postgresql", True))
    ),
    *(
        Bench(
            name=f"epcr.observations{suffix}",
            unit="observations/s",
            reference_is="the same rows through the driver, and one orjson.dumps",
            prepare=partial(encounters.measure_observations, postgresql=postgresql),
        )
        for suffix, postgresql in (("", False), (".postgresql", True))
    ),
    *(
        Bench(
            name=f"token.{name}{suffix}", unit="tokens/s", reference_is=f"the bare RSA {reference_is}", prepare=prepare
        )
        for suffix, postgresql in (("", False), (".postgresql", True))
        for name, reference_is, prepare in (
            (
                "mint",
                "signature, same key, and one durable insert",
                partial(token.measure_mint, postgresql=postgresql),
            ),
            ("mint_access", "signature, same key", partial(token.measure_mint_access, postgresql=postgresql)),
            (
                "verify",
                "verification, same key; every token at first sight",
                partial(token.measure_verify, postgresql=postgresql),
            ),
            (
                "verify_cached",
                "verification, same key; every token seen before",
                partial(token.measure_verify_cached, postgresql=postgresql),
            ),
        )
    ),
    Bench(
        name="provenance.append",
        unit="records/s",
        reference_is="canonical JSON, leaf, both signatures and a durable insert",
        prepare=provenance.measure_append,
    ),
    *(
        Bench(
            name=f"provenance.verify{suffix}",
            unit="records/s",
            reference_is="canonical JSON, leaf and signature of each record",
            prepare=partial(provenance.measure_verify, algorithm),
        )
        for suffix, algorithm in (("", Algorithm.ML_DSA_65), (".hmac", Algorithm.HMAC_SHA256))
    ),
    *(
        Bench(
            name=f"webhook.{name}{suffix}",
            unit="deliveries/s",
            reference_is="a bare aiohttp client loop, same octets, receiver and concurrency",
            prepare=partial(webhooks.measure, postgresql=postgresql, from_event=from_event),
        )
        for suffix, postgresql in (("", False), (".postgresql", True))
        for name, from_event in (("deliveries", False), ("events", True))
    ),
    Bench(
        name="jobs.sqlite",
        unit="jobs/s",
        reference_is="a raw SQL claim loop, same batch and durability",
        prepare=jobs.measure_sqlite,
    ),
    Bench(
        name="jobs.postgresql",
        unit="jobs/s",
        reference_is="a raw SQL claim loop, same batch and durability",
        prepare=jobs.measure_postgresql,
    ),
    Bench(
        name="jobs.postgresql.pgqueuer",
        unit="jobs/s",
        reference_is="pgqueuer, same server, batch and durability",
        prepare=jobs.measure_pgqueuer,
    ),
    *(
        Bench(
            name=f"graphql.trusted_document{suffix}",
            unit="documents/s",
            reference_is="parse and validate with graphql-core",
            prepare=prepare,
        )
        for suffix, prepare in (("", operations.measure_granted), (".sparkline", operations.measure_sparkline))
    ),
    *(
        Bench(
            name=f"export.{form}",
            unit="rows/CPU s",
            reference_is=f"the same rows through the driver, and {writer}",
            prepare=partial(exports.measure, form),
        )
        for form, writer in (
            ("ndjson", "one orjson.dumps each"),
            ("parquet", "pyarrow"),
            ("fhir_ndjson", "one orjson.dumps of a resource each"),
        )
    ),
)


def machine() -> dict[str, object]:
    """Return cores, Python version and operating system of the machine that runs the benchmark."""
    return {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def number(value: float) -> str:
    """Return a figure with enough digits to compare it."""
    return f"{value:,.1f}" if value >= 10 else f"{value:.3f}"


def limit_words(figure: Figure) -> str:
    """Return the limit of a figure, and whether its value exceeds it."""
    if figure.limit is None:
        return "–"
    return f"≤ {figure.limit:,.0f}{' EXCEEDED' if figure.exceeds_limit else ''}"


def shown(figures: list[Figure]) -> Table:
    table = Table(title="Argus bench")
    for column in ("name", "value", "limit", "unit", "reference", "ratio", "spread", "runs"):
        table.add_column(column, justify="left" if column in ("name", "unit") else "right", no_wrap=True)
    for figure in figures:
        table.add_row(
            figure.name,
            number(figure.value),
            limit_words(figure),
            figure.unit,
            "–" if figure.reference is None else f"{figure.reference:,.0f}",
            "–" if figure.ratio is None else f"{figure.ratio:.2f}",
            f"{number(figure.spread[0])} … {number(figure.spread[1])}",
            str(figure.runs),
        )
    return table


def main(
    only: Annotated[str, typer.Option(help="A group (buffer) or a name (buffer.commit).")] = "",
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("bench.json"),
) -> None:
    def wanted(name: str) -> bool:
        return not only or name == only or name.startswith(only + ".")

    console = Console(width=150)
    figures: list[Figure] = []
    for bench in RATIOS:
        if wanted(bench.name):
            console.print(f"measuring {bench.name} …")
            figures.append(measure(bench))
    if any(wanted(name) for name in ble.NAMES):
        console.print(f"measuring {ble.NAMES[0]} …")
        figures.append(ble.measure_latency())
    if any(wanted(name) for name in waveforms.NAMES):
        console.print(f"measuring {waveforms.NAMES[0]} …")
        figures.append(waveforms.measure_size())
    at_rest = (
        numerics.measure_sqlite,
        numerics.measure_postgresql,
        numerics.measure_staged_sqlite,
        numerics.measure_staged_postgresql,
    )
    with_batch = (packed_numerics.measure_sqlite, packed_numerics.measure_postgresql)
    for name, measure_numerics in zip((*numerics.NAMES, *packed_numerics.NAMES), (*at_rest, *with_batch), strict=True):
        if wanted(name):
            console.print(f"measuring {name} …")
            figures.append(measure_numerics())
    if any(wanted(name) for name in tracing.NAMES):
        console.print(f"measuring {', '.join(tracing.NAMES)} …")
        figures += [figure for figure in tracing.measure_look_ups() if wanted(figure.name)]
    if any(wanted(name) for name in fhir.NAMES):
        console.print(f"measuring {fhir.NAMES[0]} …")
        figures.append(fhir.measure_sqlite())
    if any(wanted(name) for name in waveform_objects.NAMES):
        console.print(f"measuring {waveform_objects.NAMES[0]} …")
        figures.append(waveform_objects.measure_size())
    for names, measure_running in (
        (running.DEMO_NAMES, running.measure_demo),
        (running.WRITTEN_NAMES, running.measure_written),
        (crew.PAGE_NAMES, crew.measure_page),
        (crew.VALUE_NAMES, crew.measure_value),
        (crew.LOAD_NAMES, crew.measure_load),
        (crew_taps.NAMES, crew_taps.measure_taps),
        ((missions.NAME,), missions.measure_missions),
    ):
        if any(wanted(name) for name in names):
            console.print(f"measuring {', '.join(names)} …")
            figures += [figure for figure in measure_running() if wanted(figure.name)]
    if any(wanted(name) for name in encounters.NAMES):
        console.print(f"measuring {encounters.NAMES[0]} …")
        figures.append(encounters.measure_envelope())
    for name, measure_metrics in zip(
        operations.NAMES, (operations.measure_sqlite, operations.measure_postgresql), strict=True
    ):
        if wanted(name):
            console.print(f"measuring {name} …")
            figures.append(measure_metrics())
    if any(wanted(name) for name in ingest_writes.NAMES):
        console.print(f"measuring {ingest_writes.NAMES[0]} …")
        figures += [figure for figure in ingest_writes.measure_writes() if wanted(figure.name)]
    if wanted(scale.NAME):
        console.print(f"measuring {scale.NAME} …")
        figures += scale.measure_scale()
    if not figures:
        typer.echo(f"no figure is named {only}", err=True)
        sys.exit(2)
    console.print(shown(figures))
    out.write_text(
        json.dumps({"machine": machine(), "results": [asdict(figure) for figure in figures]}, indent=1) + "\n"
    )
    exceeded = [figure.name for figure in figures if figure.exceeds_limit]
    if exceeded:
        typer.echo(f"above the limit: {', '.join(exceeded)}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
