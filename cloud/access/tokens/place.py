"""What a command needs to make tokens and keys: the master key of the settings, and who issues for whom."""

from contextlib import suppress
from pathlib import Path

from cloud.access.tokens.claims import Names
from cloud.access.tokens.store import KeyStore
from cloud.foundation.db import Database
from cloud.foundation.db.address import SqliteAddress, read_address
from cloud.foundation.http.host import Host
from cloud.foundation.master_key import MasterKey, MasterKeyTaken
from cloud.settings import Settings, SettingsUnusable

KEY_FILE = "master.key"


def master_key_path(settings: Settings) -> Path:
    """Where the master key is: as set, else beside a SQLite database. Raises `SettingsUnusable`."""
    if settings.secrets.master_key_file is not None:
        return settings.secrets.master_key_file
    address = read_address(settings.database_url)
    if isinstance(address, SqliteAddress):
        return address.path.parent / KEY_FILE
    raise SettingsUnusable("([secrets] master_key_file is required with PostgreSQL.)")


def load_master_key(settings: Settings) -> MasterKey:
    """Raises `SettingsUnusable`, `MasterKeyAbsent`, `MasterKeyUnfit`."""
    return MasterKey.load(master_key_path(settings))


async def first_master_key(settings: Settings, database: Database) -> str | None:
    """Make the master key of a new installation; its path, None when there is one or none may be made.

    None may be made where sealed keys exist already: their file is missing, and a new one would only hide that.
    Raises `SettingsUnusable`, `MasterKeyUnfit`.
    """
    path = master_key_path(settings)
    if path.exists():
        return None
    async with database.read() as tx:
        if await KeyStore().any(tx):
            return None
    with suppress(MasterKeyTaken):  # another process was quicker
        MasterKey.create(path)
    return str(path)


def names_of(settings: Settings) -> Names:
    """Raises `SettingsUnusable`."""
    if settings.hosts is None:
        raise SettingsUnusable("([hosts.auth] and [hosts.api] are required: tokens name both.)")
    bases = bases_of(settings)
    return Names(issuer=bases[Host.AUTH], api=bases[Host.API])


def bases_of(settings: Settings) -> dict[Host, str]:
    """The public address of each host. Raises `SettingsUnusable`."""
    if settings.hosts is None:
        raise SettingsUnusable("([hosts] are required.)")
    return {host: getattr(settings.hosts, host.value).public_url for host in Host}
