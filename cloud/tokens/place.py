"""What a command needs to make tokens and keys: the master key of the settings, and who issues for whom."""

from pathlib import Path

from cloud.db.address import SqliteAddress, read_address
from cloud.http.host import Host
from cloud.master_key import MasterKey
from cloud.settings import Settings, SettingsUnusable
from cloud.tokens.claims import Names

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
