"""Settings of an object store in an S3 service."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from cloud.foundation.settings import PASSWORD_LENGTH_MAX, FilePath, Section, Settings, SettingsUnusable


def _bucket_url(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme != "s3" or not parts.hostname or parts.username or parts.port or parts.query:
        raise ValueError('write "s3://BUCKET" or "s3://BUCKET/PREFIX"')
    return f"s3://{parts.hostname}{parts.path.rstrip('/')}"


def _endpoint(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ValueError('write the address of the service, for instance "https://ACCOUNT.r2.cloudflarestorage.com"')
    return str(value).rstrip("/")


class ObjectsSection(Section):
    """`[objects]`: an S3 service that stores the objects, instead of the folder `objects_dir`."""

    url: Annotated[str, BeforeValidator(_bucket_url)] | None = None
    """`s3://BUCKET` or `s3://BUCKET/PREFIX`. None: the folder `objects_dir`, or `objects` beside a SQLite database."""
    endpoint: Annotated[str, BeforeValidator(_endpoint)] | None = None
    """Address of a service other than Amazon's, such as Cloudflare R2 or MinIO."""
    region: str = "us-east-1"
    """Region of the bucket; `auto` for R2."""
    credentials_file: FilePath | None = None
    """File with the access key id in its first line and the secret access key in its second. None: the credentials of
    the machine's role."""

    def credentials(self) -> tuple[str, str] | None:
        """Return the access key id and the secret access key; None without a file. Raises `SettingsUnusable`, which
        names the file and never quotes it."""
        if self.credentials_file is None:
            return None
        try:
            with self.credentials_file.open(encoding="utf-8") as file:
                lines = [file.readline(PASSWORD_LENGTH_MAX + 1).strip() for _ in range(2)]
        except (OSError, UnicodeDecodeError):
            raise SettingsUnusable(f"({self.credentials_file} cannot be read as a file of credentials.)") from None
        if not all(0 < len(line) <= PASSWORD_LENGTH_MAX for line in lines):
            sentence = "must have the access key id in its first line and the secret access key in its second"
            raise SettingsUnusable(f"({self.credentials_file} {sentence}.)")
        return lines[0], lines[1]

    def check_with(self, settings: Settings) -> None:
        if self.url is not None and settings.objects_dir is not None:
            raise ValueError("[objects] url and objects_dir exclude each other: leave one out")
        if self.url is None and (self.endpoint is not None or self.credentials_file is not None):
            raise ValueError('[objects] needs url = "s3://BUCKET"')
