"""Command `argus-gateway epcr handover`: writes the hand-over of an encounter as PDF, FHIR bundle or HTML page.

It reads the store beside a running gateway, so a printout is possible without tablet and network, and also when the
gateway does not run.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from gateway.buffer.store_reader import StoreReader
from gateway.cli.refusal import Refusal
from gateway.durable import replace_file
from gateway.epcr.handover.bundle import handover_bundle
from gateway.epcr.handover.handovers import EncounterUnknown, Handover, Handovers, pseudonym_key
from gateway.epcr.handover.pdf import PdfPrinter, PdfUnavailable
from gateway.epcr.handover.source import StoreSource
from gateway.security.identity import Identity
from gateway.sessions.clocks.boots import BOOTS_STATE, Boots
from gateway.sessions.devices.history_encoding import decode_history
from gateway.settings import Settings, load
from gateway.transports.clock import SystemClock
from protocols.device_description import NO_DESCRIPTION, DeviceDescription
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.page import handover_page


def write_handover(
    config: Path,
    encounter: str,
    *,
    language: Language,
    order: Order,
    pdf: Path | None,
    bundle: Path | None,
    html: Path | None,
) -> None:
    """Write the hand-over of an encounter to each of the files that are given, which only their owner may read."""
    if pdf is None and bundle is None and html is None:
        raise Refusal("name at least one file: --pdf FILE, --bundle FILE or --html FILE")
    settings = load(config)
    identity = Identity.load(settings.identity_dir)
    reader = StoreReader(settings.store_path, gateway=settings.gateway.id, key=identity.store_key)
    try:
        handover = asyncio.run(_make(settings, identity, reader, encounter, language, order))
        described = _descriptions(reader)
    except EncounterUnknown:
        raise Refusal(f"this vehicle has no care record of {encounter}") from None
    finally:
        reader.close()
    if pdf is not None:
        _write(pdf, _printed(handover))
    if bundle is not None:
        _write(bundle, handover_bundle(handover, lambda system_id: described.get(system_id, NO_DESCRIPTION)))
    if html is not None:
        _write(html, handover_page(handover.shown).encode())
    for sentence in handover.content.missing:
        typer.echo(sentence)


async def _make(
    settings: Settings, identity: Identity, reader: StoreReader, encounter: str, language: Language, order: Order
) -> Handover:
    clock = SystemClock()
    boots = Boots(clock)
    boots.load(reader.state(BOOTS_STATE))
    handovers = Handovers(
        StoreSource(reader, boots.anchors),
        tenant=settings.gateway.tenant,
        key=pseudonym_key(identity.store_key),
        now_us=clock.wall_us,
        zone=ZoneInfo(settings.clocks.zone),
    )
    return await handovers.make(encounter, language, order)


def _printed(handover: Handover) -> bytes:
    try:
        return asyncio.run(PdfPrinter().print(handover))
    except PdfUnavailable:
        raise Refusal("the PDF could not be made: write the page with --html FILE and print it") from None


def _descriptions(reader: StoreReader) -> Mapping[str, DeviceDescription]:
    """Return what each device reported about itself, by its system id."""
    histories = map(decode_history, reader.device_reports())
    return {history.system_id: history.description for history in histories if history is not None}


def _write(path: Path, data: bytes) -> None:
    replace_file(path, data)
    typer.echo(f"{path} written")
