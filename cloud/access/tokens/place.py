"""Make the first master key, and read the issuer and audience of tokens from the settings."""

from contextlib import suppress

from cloud.access.tokens.claims import Names
from cloud.access.tokens.store import SigningKeyStore
from cloud.foundation.db import Database
from cloud.foundation.http import Host, bases_of
from cloud.foundation.master_key import MasterKey, MasterKeyTaken, master_key_path
from cloud.foundation.settings import Settings


async def first_master_key(settings: Settings, database: Database) -> str | None:
    """Make the master key file of a new installation and return its path. Return None if the file exists. Also return
    None if the database has sealed keys: their master key file is missing, and a new file would only hide the loss.
    Raises `SettingsUnusable`, `MasterKeyUnfit`."""
    path = master_key_path(settings)
    if path.exists():
        return None
    async with database.read() as tx:
        if await SigningKeyStore().any(tx):
            return None
    with suppress(MasterKeyTaken):  # another process made it first
        MasterKey.create(path)
    return str(path)


def names_of(settings: Settings) -> Names:
    """Return the issuer and audiences of all tokens except those of the sandbox. Raises `SettingsUnusable`."""
    bases = bases_of(settings)
    return Names(issuer=bases[Host.AUTH], api=bases[Host.API])
