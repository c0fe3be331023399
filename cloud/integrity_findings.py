"""Findings of `argus-cloud doctor` about damage in the database."""

import asyncio
from pathlib import Path

import asyncpg

from cloud.foundation.db import Examined, PostgresqlAddress, examine_all, kept_copies, read_address
from cloud.foundation.findings import Finding, Level
from cloud.foundation.settings import Settings

EXAMINED_S_MAX = 60.0
"""Limit for the whole file, since a person waits for the result."""
CONNECT_S_MAX = 5.0
PART = "integrity"


async def integrity_findings(settings: Settings) -> list[Finding]:
    """Examine the whole SQLite file, or check that PostgreSQL has data checksums on. Return no finding for a file that
    is missing or empty."""
    address = read_address(settings.database_url)
    if isinstance(address, PostgresqlAddress):
        return await _of_postgresql(address)
    if not address.path.exists() or not address.path.stat().st_size:
        return []
    examined = await asyncio.to_thread(lambda: list(examine_all(address.path, EXAMINED_S_MAX)))
    return [*_of_pages(examined), *_of_logs(address.path)]


def _of_pages(examined: list[Examined]) -> list[Finding]:
    found = [
        Finding(PART, Level.FAULT, f"Damaged: {damage.part} ({damage.finding}). See the operator's guide.")
        for one in examined
        for damage in one.damages
    ]
    unfinished = [one.part for one in examined if not one.finished]
    if unfinished:
        which = f"{', '.join(unfinished)} could not be examined within {EXAMINED_S_MAX:g} s"
        advice = 'use `sqlite3 FILE "PRAGMA integrity_check"` on a copy'
        found.append(Finding(PART, Level.WARNING, f"{which}; {advice}."))
    return found or [Finding(PART, Level.OK, f"All pages of {len(examined) - 1} tables were examined.")]


def _of_logs(path: Path) -> list[Finding]:
    return [
        Finding(
            PART,
            Level.FAULT,
            f"{copy.name} is a log whose end is unreadable. After a power cut one unconfirmed transaction is normal,"
            " otherwise the disk has lost confirmed changes. See the operator's guide, then remove the file.",
        )
        for copy in sorted(kept_copies(path))
    ]


async def _of_postgresql(address: PostgresqlAddress) -> list[Finding]:
    try:
        connection = await asyncpg.connect(address.driver_url(), timeout=CONNECT_S_MAX)
        try:
            has_checksums = await connection.fetchval("SHOW data_checksums") == "on"
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return []  # the finding "database" has the reason
    if has_checksums:
        return [Finding(PART, Level.OK, "The server checks its pages (data checksums are on).")]
    sentence = "The server keeps no data checksums, so a damaged page may go unnoticed; see `pg_checksums --enable`."
    return [Finding(PART, Level.WARNING, sentence)]
