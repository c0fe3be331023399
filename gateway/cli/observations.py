"""Command `argus-gateway observations`: prints observations from the store, read-only so that no commit is delayed."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.buffer.reading import events, records
from gateway.buffer.store_reader import StoreReader
from gateway.cli.output import print_json, print_table
from gateway.cli.refusal import Refusal
from gateway.security.identity import Identity
from gateway.sessions.clocks.boots import BOOTS_STATE, Boots
from gateway.settings import load
from gateway.transports.clock import SystemClock
from protocols.observation_record import ObservationRecord, to_json, utc_text
from protocols.uplink.events import GatewayEvent
from protocols.uplink.lanes import Lane

TABLE_ROWS = 500
"""Maximum of rows in a table for people; a program reads more."""
_UNITS_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def observations(
    config: Path, *, as_json: bool, device: str | None, since: str | None, lane: str | None, limit: int | None
) -> None:
    settings = load(config)
    since_us = None if since is None else since_us_of(since, SystemClock().wall_us())
    only = _lane(lane)
    identity = Identity.load(settings.identity_dir)
    reader = StoreReader(settings.store_path, gateway=settings.gateway.id, key=identity.store_key)
    rows_max = limit or TABLE_ROWS
    # One more than a table shows proves that there are more; as JSON they stream, however many.
    most = (limit or sys.maxsize) if as_json else rows_max + 1
    boots = Boots(SystemClock())
    boots.load(reader.state(BOOTS_STATE))
    if only is Lane.EVENT:
        printed = events(reader, asyncio.to_thread, device=device and device.lower(), since_us=since_us, limit=most)
        try:
            asyncio.run(_print_events(printed, as_json=as_json, rows_max=rows_max))
        finally:
            reader.close()
        return
    found = records(
        reader,
        asyncio.to_thread,
        lane=only,
        device=device and device.lower(),
        since_us=since_us,
        limit=most,
        anchors=boots.anchors,
    )
    try:
        asyncio.run(_print(found, as_json=as_json, rows_max=rows_max))
    finally:
        reader.close()


def since_us_of(text: str, now_us: int) -> int:
    """Return `--since` in µs since 1970. `text` is an age before `now_us` (`15m`), or an ISO 8601 time, which is UTC if
    it has no zone."""
    if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return now_us - int(ago[1]) * _UNITS_US[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f'--since {text} is no time: write "2026-05-06T07:08:09Z", or "15m", "2h", "3d" ago') from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def _lane(text: str | None) -> Lane | None:
    if text is None:
        return None
    try:
        lane = Lane(text)
    except ValueError:
        raise Refusal(f"--lane {text} is no lane: write one of {', '.join(Lane)}") from None
    if lane is Lane.EPCR:
        raise Refusal(
            "the lane epcr has field changes of care records and no observations: argus-gateway status counts them"
        )
    return lane


async def _print(found: AsyncIterator[ObservationRecord], *, as_json: bool, rows_max: int) -> None:
    if as_json:
        async for record in found:
            print_json(to_json(record))
        return
    rows = [_row(record) async for record in found]
    more = len(rows) > rows_max
    shown = rows[:rows_max]
    title = f"{len(shown)} observations{', and there are more: --limit, --since' if more else ''}"
    print_table(title, ("observed", "device", "type", "value", "unit"), shown)


async def _print_events(found: AsyncIterator[tuple[int, GatewayEvent]], *, as_json: bool, rows_max: int) -> None:
    if as_json:
        async for sequence, event in found:
            print_json(
                {
                    "lane": Lane.EVENT.value,
                    "sequence": sequence,
                    "name": event.name,
                    "at": utc_text(event.at_us),
                    "device": event.device,
                    "fields": dict(event.fields),
                }
            )
        return
    rows = [(utc_text(event.at_us)[:23], event.name, event.device or "–", _fields(event)) async for _, event in found]
    shown = rows[:rows_max]
    more = ", and there are more: --limit, --since" if len(rows) > rows_max else ""
    print_table(f"{len(shown)} events{more}", ("at", "event", "device", "what"), shown)


def _fields(event: GatewayEvent) -> str:
    return ", ".join(f"{name} {value}" for name, value in event.fields.items() if value is not None)


def _row(record: ObservationRecord) -> tuple[str, ...]:
    body = to_json(record)
    samples = body["samples"]
    value = f"{len(samples)} samples" if isinstance(samples, list) else str(body["value"])
    observed = utc_text(record.observed_at_us)[:23]
    return (observed, record.device.system_id, str(body["type"]), value, str(body["unit"] or ""))
