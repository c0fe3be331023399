"""Read the settings file: one TOML file, read once, checked whole, then plain values.

The reader is strict: a number in quotes or a misspelt key is an error that names the file, the field and what to write.
Secrets are not in the file but in files that it names, and relative paths are relative to it, so that a state folder
can be moved whole. Each slice declares its own sections in its `settings.py`; the composition root lists them.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)

from cloud.foundation.db import SqliteAddress, read_address
from cloud.foundation.errors import DomainError, PrivateError

FILE_BYTES_MAX = 262_144
"""A settings file has about two kilobytes, so a file above this limit is the wrong one."""
PASSWORD_LENGTH_MAX = 1024


class SettingsUnusable(PrivateError, code="settings_unusable"):
    """The settings cannot be used."""


class Address(NamedTuple):
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _listen(value: object) -> Address:
    if isinstance(value, Address):
        return value
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:\s]+)):(\d{1,5})", value) if isinstance(value, str) else None
    if found is None or int(found[3]) > 65535:
        raise ValueError('write "HOST:PORT", for instance "127.0.0.1:8080" or "[::1]:8080"')
    return Address(found[1] or found[2], int(found[3]))


def _file(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError('write a path in quotes, for instance "/var/lib/argus-cloud/objects"')
    return Path(_folder(info), Path(value).expanduser())


def _folder(info: ValidationInfo) -> Path:
    folder = info.context["folder"] if info.context else Path()
    assert isinstance(folder, Path)
    return folder


def _database_url(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        raise ValueError('write "sqlite:///PATH" or "postgresql://USER@HOST/NAME" in quotes')
    try:
        address = read_address(value)
    except DomainError as error:
        raise ValueError(error.sentence) from None
    # The password of a PostgreSQL address stays in the text, which is why the field is hidden from every repr.
    return f"sqlite:///{Path(_folder(info), address.path)}" if isinstance(address, SqliteAddress) else value


def _public_url(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    wrong = parts is None or parts.scheme not in {"http", "https"} or not parts.hostname
    if wrong or parts is None or parts.username or parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError('write the address that clients use, without a path, for instance "https://api.example.org"')
    return f"{parts.scheme}://{parts.netloc.lower()}"


Listen = Annotated[Address, BeforeValidator(_listen)]
FilePath = Annotated[Path, BeforeValidator(_file), Field(strict=False)]
PublicUrl = Annotated[str, BeforeValidator(_public_url)]


class Section(BaseModel):
    """Base of every section of the file: strict, closed and immutable."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    def check_with(self, settings: "Settings") -> None:
        """Raise ValueError if this section conflicts with another one."""


S = TypeVar("S", bound=Section)


class SecretsSection(Section):
    """`[secrets]`: the key that seals the signing keys and other secrets in the database."""

    master_key_file: FilePath | None = None
    """File with 32 bytes in base64, created by `argus-cloud init-secrets`. Keep a copy elsewhere: without the key, all
    tokens and sealed values are lost. None: `master.key` beside a SQLite database. Required with PostgreSQL."""


class Settings(Section):
    """The whole settings file. Only `database_url` is required, since console commands need nothing else."""

    database_url: Annotated[str, BeforeValidator(_database_url), Field(repr=False)]
    """`sqlite:///PATH` or `postgresql://USER@HOST/NAME`."""
    objects_dir: FilePath | None = None
    """Folder for large objects, such as packed waveforms. None: the folder `objects` beside a SQLite database, or the
    bucket of `[objects] url`."""
    secrets: SecretsSection = SecretsSection()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for _, value in self:
            if isinstance(value, Section):
                value.check_with(self)
        return self

    def find(self, kind: type[S]) -> S | None:
        """Return the section of this class; None when the file has none and the section has no defaults."""
        return next((value for _, value in self if isinstance(value, kind)), None)

    def section(self, kind: type[S]) -> S:
        """Return the section of this class, for sections whose fields all have defaults."""
        found = self.find(kind)
        assert found is not None, f"{kind.__name__} is declared by no slice, or has required fields"
        return found


def settings_model(sections: Mapping[str, type[Section]]) -> type[Settings]:
    """Make the model of the whole file. `sections`: the sections by name; one with required fields may be omitted."""
    fields: dict[str, Any] = {}
    for name, kind in sections.items():
        optional = any(field.is_required() for field in kind.model_fields.values())
        fields[name] = (kind | None, None) if optional else (kind, kind())
    return create_model("Settings", __base__=Settings, __doc__=Settings.__doc__, **fields)


def read_password(path: Path) -> str:
    """Return the first line of a password file. Raises `SettingsUnusable`, which names the file and never quotes it."""
    try:
        with path.open(encoding="utf-8") as file:
            password = file.readline(PASSWORD_LENGTH_MAX + 1).rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise SettingsUnusable(f"({path} cannot be read as a password file.)") from None
    if not password or len(password) > PASSWORD_LENGTH_MAX:
        raise SettingsUnusable(f"({path} has no password in its first line.)")
    return password


def read_settings(path: Path, model: type[Settings]) -> Settings:
    """Read the file and check it with `model`. Raises `SettingsUnusable`, which names the field and never a value."""
    try:
        content = path.read_bytes()[: FILE_BYTES_MAX + 1]
    except OSError as error:
        raise SettingsUnusable(f"({path} cannot be read: {error.strerror}. Name it with --config.)") from None
    if len(content) > FILE_BYTES_MAX:
        raise SettingsUnusable(f"({path} is too large to be a settings file.)")
    try:
        values = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsUnusable(f"({path} is not TOML: {error}.)") from None
    try:
        return model.model_validate(values, context={"folder": path.absolute().parent})
    except ValidationError as error:
        raise SettingsUnusable("\n".join(_mistake(path, one) for one in error.errors(include_input=False))) from None


def _mistake(path: Path, mistake: Any) -> str:
    """Describe one mistake: where it is and what to do. The value is left out, because it may be a password."""
    field = ".".join(str(part) for part in mistake["loc"]) or "the file"
    said = {"extra_forbidden": "there is no such setting", "missing": "this setting is required"}.get(
        mistake["type"], mistake["msg"].removeprefix("Value error, ")
    )
    return f"{path}: {field}: {said}"
