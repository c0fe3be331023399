"""The directory that the cloud writes and mosquitto reads: client rights, authorities, revocation lists.

Each file is written under a temporary name, flushed and renamed, so that mosquitto never reads half a file. After a
change of a certificate file the file `reload-due` is created, and a systemd path unit reloads mosquitto. mosquitto
reads the rights only when it starts. `BrokerUpkeep` sends it every later change of the rights, also a change made on
another machine.

A revocation list whose nextUpdate has passed makes mosquitto refuse every vehicle. So the list is renewed daily
although it is valid for 30 days, and `doctor`, a metric and readiness report a missed renewal.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError, PrivateError
from cloud.foundation.master_key import MasterKey
from cloud.vehicles.fleet.authority import REVOCATION_DAYS, ListFacts, read_list, revocation_list
from cloud.vehicles.fleet.authority_store import AuthorityStore, Change
from cloud.vehicles.fleet.broker_configuration import (
    AUTHORITIES_FILE,
    RELOAD_FILE,
    REVOKED_FILE,
    RIGHTS_FILE,
    AdmittedGateway,
)
from cloud.vehicles.fleet.broker_rights import CloudLogin, rights_file

DAY_US = 86_400 * 1_000_000
RENEW_AFTER_US = DAY_US
"""Age at which a revocation list is renewed although nothing was revoked."""
ALARM_BEFORE_US = 14 * DAY_US
"""Time before the nextUpdate at which `doctor` warns: two weeks to find out why a daily task does not run."""
LOOK_EVERY_S = 3.0
"""Interval at which the database is compared with the directory, by two small queries: a gateway that was suspended on
another machine is disconnected within 10 s."""
FILE_BYTES_MAX = 64 << 20
"""Size of a revocation list of a million certificates; the cloud did not write a larger file."""

log = structlog.get_logger()


class BrokerDirectoryUnusable(PrivateError, code="broker_directory_unusable", status=503):
    """The lists for mosquitto could not be written. Correct the folder, then run `argus-cloud broker refresh`."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The result of writing the broker's files: the names of the replaced files, the gateways that may use the broker,
    and the number of entries in the revocation lists."""

    files: tuple[str, ...]
    admitted: Sequence[AdmittedGateway]
    revoked: int


class RightsSource(Protocol):
    """The state that the broker must have: files in a directory, or only the admitted gateways."""

    async def change(self) -> Change: ...

    async def refresh(self) -> Refreshed:
        """Read the admitted gateways, and write the files that are due."""
        ...


class RightsSender(Protocol):
    """Send the rights of the admitted gateways to a running broker (`cloud/vehicles/ingest/broker_control.py`,
    `cloud/vehicles/fleet/rabbitmq_upkeep.py`)."""

    async def apply(self, admitted: Sequence[AdmittedGateway]) -> int:
        """Send the broker a chunk of the rights of the gateways `admitted`, and return the number of gateways whose
        rights differed before. `BrokerUpkeep` calls `apply` at every interval, and at once while the number falls, with
        the same `admitted` object until the gateways are read again."""

    async def close(self) -> None: ...


class BrokerDirectory:
    """Write the files of one broker into `folder`. `master` returns the master key, and is called only when a
    certificate authority exists. `login` is None when the cloud does not connect to the broker."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        master: Callable[[], MasterKey],
        folder: Path,
        login: CloudLogin | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._master = master
        self._folder = folder
        self._login = login
        self._store = AuthorityStore()

    async def change(self) -> Change:
        async with self._database.read() as tx:
            return await self._store.change(tx)

    async def refresh(self) -> Refreshed:
        """Write the files that differ from the database or are due for renewal. Raises `BrokerDirectoryUnusable`, and
        the errors of the master key and the database."""
        async with self._database.read() as tx:
            admitted = await self._store.admitted(tx)
            with_key = await self._store.certificates(tx)
            opened = await self._store.open(tx, self._master()) if with_key else ()
            now_us = self._clock.now_us()
            lists = {one: await self._store.revocations(tx, one.id, now_us) for one in opened}
        files = {RIGHTS_FILE: await asyncio.to_thread(rights_file, self._login, admitted)}
        if opened:
            files[AUTHORITIES_FILE] = b"".join(authority.certificate_pem for authority in opened)
            held = _lists_in(self._folder / REVOKED_FILE)
            wanted = {
                one.certificate.subject.public_bytes(): frozenset((each.serial, each.held) for each in entries)
                for one, entries in lists.items()
            }
            if _is_due(held, wanted, now_us):
                files[REVOKED_FILE] = b"".join(
                    revocation_list(one, entries, now_us=now_us) for one, entries in lists.items()
                )
        written = await asyncio.to_thread(self._replace, files)
        return Refreshed(written, admitted, sum(len(entries) for entries in lists.values()))

    def _replace(self, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Replace the broker files whose content differs; return their names. If one of them is a certificate file,
        mosquitto is made to reload."""
        try:
            # This directory blocks the temporary file by which mosquitto would replace the rights with its own copy.
            (self._folder / f"{RIGHTS_FILE}.new").mkdir(exist_ok=True)
            changed = tuple(name for name, content in files.items() if _read(self._folder / name) != content)
            for name in changed:
                _write(self._folder / name, files[name])
            if changed not in ((), (RIGHTS_FILE,)):
                _write(self._folder / RELOAD_FILE, b"")
        except OSError as error:
            raise BrokerDirectoryUnusable(f"({self._folder}: {error.strerror})") from None
        return changed


def _is_due(held: Mapping[bytes, ListFacts], wanted: Mapping[bytes, frozenset[tuple[int, bool]]], now_us: int) -> bool:
    """Return whether a revocation list must be written: it is missing, has other entries than it should, is due for
    renewal, or was made after `now_us`. `held` maps an issuer to the list in the file, and `wanted` maps an issuer to
    the entries that its list should have."""
    return held.keys() != wanted.keys() or any(
        facts.entries != wanted[issuer] or not 0 <= now_us - facts.made_at_us < RENEW_AFTER_US
        for issuer, facts in held.items()
    )


def _lists_in(path: Path) -> dict[bytes, ListFacts]:
    """Return a mapping from issuer to revocation list for a file. It is empty when the file is
    missing or unreadable."""
    pem = _read(path)
    try:
        return {} if pem is None else read_list(pem)
    except ValueError:
        return {}


def expiry_of(folder: Path) -> int | None:
    """Return the earliest nextUpdate of the revocation lists in `folder`; None when there is no list."""
    return min((facts.next_update_us for facts in _lists_in(folder / REVOKED_FILE).values()), default=None)


def expiry_sentence(folder: Path, now_us: int) -> tuple[bool, str] | None:
    """Return whether a list has expired, and a sentence for the operator; None if no list expires within 14 days."""
    until_us = expiry_of(folder)
    if until_us is None or until_us - now_us > ALARM_BEFORE_US:
        return None
    if until_us <= now_us:
        return True, (
            f"The revocation list in {folder} has expired, so mosquitto refuses every vehicle; "
            "run argus-cloud broker refresh."
        )
    days = (until_us - now_us) // DAY_US
    return False, (
        f"The revocation list in {folder} was not renewed for {REVOCATION_DAYS - 1 - days} days and locks out every "
        f"vehicle in {days} days; run argus-cloud broker refresh and look at the log of the worker."
    )


class RevocationListCheck:
    """Readiness check: not ready when the revocation list has expired, since mosquitto then refuses every vehicle."""

    part = "revocation list"

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._seen: tuple[int, int] | None = None
        self._until_us: int | None = None

    async def why_not(self) -> str | None:
        """Return why the process is not ready, or None. The list is parsed again only after its file was replaced,
        because any client may request readiness and a list may be long."""
        seen = _stamp(self._folder / REVOKED_FILE)
        if seen != self._seen:
            self._seen, self._until_us = seen, expiry_of(self._folder)
        expired = self._until_us is not None and self._until_us <= self._clock.now_us()
        return "The revocation list has expired, so the broker refuses every vehicle." if expired else None


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return inode and modification time of a file, to detect that it was replaced; None when there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX)
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Replace a file atomically. Its owner and the group of its directory (mosquitto's) may read it."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, 0o640)  # whatever the unit's umask is
            os.fsync(descriptor)
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class BrokerUpkeep:
    """Keep the directory, if there is one, and the running broker consistent with the database, in a loop of the worker
    process."""

    def __init__(
        self,
        directory: RightsSource,
        clock: Clock,
        rights: RightsSender | None = None,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._rights = rights
        self._look_every_s = look_every_s
        self._written: tuple[Change, int] | None = None
        self._admitted: Sequence[AdmittedGateway] = ()
        self._failing = False

    async def run(self, stopping: asyncio.Event) -> None:
        try:
            different = 0
            while not stopping.is_set():
                before, different = different, await self.look()
                if different and (different < before or not before):
                    continue  # the rights of a fleet that was registered at once are many chunks
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._look_every_s):
                        await stopping.wait()
        finally:
            if self._rights is not None:
                await self._rights.close()

    async def look(self) -> int:
        """Write the broker files that are due, and send the broker a chunk of the gateways' rights. Return the number
        of gateways whose rights differed. A `DomainError` is logged once, and the next call tries again."""
        try:
            await self._write_due()
        except DomainError as error:
            if not self._failing:
                log.error("broker.directory_not_written", code=error.code, why=error.sentence)
            self._failing = True
            return 0
        self._failing = False
        return 0 if self._rights is None else await self._rights.apply(self._admitted)

    async def _write_due(self) -> None:
        change, now_us = await self._directory.change(), self._clock.now_us()
        if self._written is not None:
            known, at_us = self._written
            if known == change and 0 <= now_us - at_us < RENEW_AFTER_US // 24:
                return
        refreshed = await self._directory.refresh()
        self._written, self._admitted = (change, now_us), refreshed.admitted
        if refreshed.files:
            log.info("broker.directory_written", files=refreshed.files, revoked=refreshed.revoked)
