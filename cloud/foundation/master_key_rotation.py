"""Add keys to the master key file, in two steps: prepare a next key, then let it seal new values.

Between the steps the operator copies the file to every machine and to the backup, so no value is ever sealed by a key
that another process or the backup lacks. Each step replaces the file by one system call. A process that is killed
before leaves the former file, and one that is killed after leaves the new one; both are complete. Former keys stay in
the file, since records of provenance that they signed stay verifiable for ever.
"""

import base64
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloud.foundation.errors import PrivateError
from cloud.foundation.master_key import (
    FILE_OCTETS_MAX,
    KEY_OCTETS,
    KEYS_MAX,
    NEXT,
    MasterKey,
    MasterKeyAbsent,
    MasterKeyUnfit,
)


class MasterKeyFull(PrivateError, code="master_key_full", status=409):
    """The master key file is full. It holds 64 keys, and none is removed, since what it signed stays evidence."""


class MasterKeyPrepared(PrivateError, code="master_key_prepared", status=409):
    """A next master key is prepared already. Copy the file to every machine and to the backup, then rotate."""


class MasterKeyNotPrepared(PrivateError, code="master_key_not_prepared", status=409):
    """No next master key is prepared. Run `argus-cloud keys prepare-master` first, and copy the file to every machine
    and to the backup."""


def prepare(path: Path) -> MasterKey:
    """Add a next key to the file. It opens values and does not seal any yet. Raises `MasterKeyPrepared`,
    `MasterKeyFull`, `MasterKeyAbsent`, `MasterKeyUnfit`."""

    def change(lines: Sequence[bytes]) -> Sequence[bytes]:
        if any(line.startswith(NEXT) for line in lines):
            raise MasterKeyPrepared
        if len(lines) >= KEYS_MAX:
            raise MasterKeyFull
        return [NEXT + base64.b64encode(secrets.token_bytes(KEY_OCTETS)), *lines]

    return _rewrite(path, change)


def rotate(path: Path) -> MasterKey:
    """Make the next key the current one, which seals new values from now on. Raises `MasterKeyNotPrepared`,
    `MasterKeyAbsent`, `MasterKeyUnfit`."""

    def change(lines: Sequence[bytes]) -> Sequence[bytes]:
        found = [line.removeprefix(NEXT) for line in lines if line.startswith(NEXT)]
        if not found:
            raise MasterKeyNotPrepared
        return [*found, *(line for line in lines if not line.startswith(NEXT))]

    return _rewrite(path, change)


def _rewrite(path: Path, change: Callable[[Sequence[bytes]], Sequence[bytes]]) -> MasterKey:
    """Replace the lines of the key file by those that `change` returns, with the same owner and mode. Return the new
    keys."""
    # Written under the lock only, so one name is enough, and the next command replaces what a killed one left.
    fresh = path.with_name(f".{path.name}.new")
    try:
        with _locked(path) as (text, status):
            MasterKey.load(path)  # raises what is wrong with the file
            lines = change([line.strip() for line in text.split(b"\n") if line.strip()])
            new = b"\n".join(lines) + b"\n"
            made = MasterKey.parse(new, path)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    if os.geteuid() == 0:
                        os.fchown(file.fileno(), status.st_uid, status.st_gid)
                    file.write(new)
                    file.flush()
                    os.fsync(file.fileno())
                fresh.replace(path)
            finally:
                fresh.unlink(missing_ok=True)
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            return made
    except FileNotFoundError:
        raise MasterKeyAbsent(f"({path})") from None
    except OSError as error:
        raise MasterKeyUnfit(f"({path} cannot be written: {error.strerror}.)") from None


@contextmanager
def _locked(path: Path) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield the text and the status of the file, while no other process changes it. A process that waited for the lock
    reads the file that replaced the locked one."""
    while True:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            status = os.fstat(file.fileno())
            if os.path.samestat(status, path.stat()):
                yield file.read(FILE_OCTETS_MAX + 1), status
                return
