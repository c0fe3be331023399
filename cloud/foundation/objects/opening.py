"""Make the object store that the settings name."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cloud.foundation.db import SqliteAddress, read_address
from cloud.foundation.objects.local import LocalObjects
from cloud.foundation.objects.settings import ObjectsSection
from cloud.foundation.objects.store import ObjectStore
from cloud.foundation.settings import Settings

if TYPE_CHECKING:
    from cloud.foundation.objects.s3 import S3Objects

FOLDER = "objects"
"""Name of the folder beside a SQLite database."""


def object_place_of(settings: Settings) -> str | Path | None:
    """Return the place of the objects: the bucket of `[objects] url`, else the folder `objects_dir`, else the folder
    `objects` beside a SQLite database. None for PostgreSQL without either: several machines may use one database, so
    only the operator knows a store that all of them reach."""
    section = settings.section(ObjectsSection)
    if section.url is not None:
        return section.url
    if settings.objects_dir is not None:
        return settings.objects_dir
    address = read_address(settings.database_url)
    return address.path.parent / FOLDER if isinstance(address, SqliteAddress) else None


def object_store_of(settings: Settings) -> ObjectStore | None:
    """Return the object store of the settings, or None. Raises `SettingsUnusable`."""
    place = object_place_of(settings)
    if isinstance(place, str):
        return _bucket(settings.section(ObjectsSection), place)
    return None if place is None else LocalObjects(place)


def _bucket(section: ObjectsSection, url: str) -> "S3Objects":
    # Imported here, since most installations use a folder and need neither the memory nor the time.
    from obstore.store import S3Store

    from cloud.foundation.objects.s3 import REQUEST_S_MAX, RETRIES, S3Objects

    parts = urlsplit(url)
    options: dict[str, str] = {}
    credentials = section.credentials()
    if credentials is not None:
        options["access_key_id"], options["secret_access_key"] = credentials
    if section.endpoint is not None:
        options["endpoint"] = section.endpoint
    bucket = S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        region=section.region,
        checksum_algorithm="SHA256",
        client_options={
            "timeout": f"{REQUEST_S_MAX:g}s",
            "allow_http": section.endpoint is not None and section.endpoint.startswith("http:"),
        },
        retry_config=RETRIES,
        **options,  # type: ignore[arg-type]
    )
    return S3Objects(bucket)
