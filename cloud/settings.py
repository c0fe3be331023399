"""The cloud's settings: one TOML file, read once, checked whole, then plain values.

Strict and closed: a number in quotes or a misspelt key is a mistake, told with the file, the field and what to write.
Secrets are not in the file but in files that it names, and relative paths are relative to it, so that a state folder
can be moved whole.
"""

import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from cloud.foundation.db.address import SqliteAddress, read_address
from cloud.foundation.errors import DomainError, PrivateError

# A settings file is two kilobytes; something larger is the wrong file.
FILE_OCTETS_MAX = 262_144

PASSWORD_LENGTH_MAX = 1024

HOST_NAMES = ("auth", "api", "sandbox", "docs")
"""The four hosts of the contract, by the words that settings and code use for them."""


class SettingsUnusable(PrivateError):
    """The settings cannot be used."""

    code = "settings_unusable"


class Address(NamedTuple):
    """Where to listen."""

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


def _broker_url(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    wrong = parts is None or parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname
    if wrong or parts is None or parts.username or parts.path:
        raise ValueError('write "mqtt://HOST:PORT" or, with TLS, "mqtts://HOST:PORT"; the user has a key of its own')
    return parts.geturl()


def _public_url(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    wrong = parts is None or parts.scheme not in {"http", "https"} or not parts.hostname
    if wrong or parts is None or parts.username or parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError('write the address that clients use, without a path, for instance "https://api.example.org"')
    return f"{parts.scheme}://{parts.netloc.lower()}"


Listen = Annotated[Address, BeforeValidator(_listen)]
FilePath = Annotated[Path, BeforeValidator(_file), Field(strict=False)]


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class MqttSection(_Section):
    """`[mqtt]`: the broker that the gateways send to. Without this section nothing is ingested."""

    url: Annotated[str, BeforeValidator(_broker_url)]
    """`mqtt://HOST:PORT` (1883 when no port is given) or `mqtts://HOST:PORT` (8883)."""
    username: str | None = Field(default=None, min_length=1, max_length=256)
    """Broker user of the cloud, for a broker that `argus-cloud broker config` did not set up; there the name is derived
    from the password."""
    password_file: FilePath | None = None
    """File whose first line is the broker password."""
    ca_file: FilePath | None = None
    """PEM of the authority that signed the broker's certificate. None: the system's authorities. Only with `mqtts`."""

    @model_validator(mode="after")
    def _consistent(self) -> "MqttSection":
        if not self.url.startswith("mqtts:") and self.ca_file:
            raise ValueError('ca_file needs TLS: write url = "mqtts://HOST:PORT"')
        return self


class BrokerSection(_Section):
    """`[broker]`: what this cloud writes for mosquitto, as `argus-cloud broker config` sets it up. Without this section
    a gateway that is shut out is refused by the cloud, but the broker still admits it."""

    directory: FilePath
    """Folder of the rights, the authorities and the revocation list that mosquitto reads."""


class IngestSection(_Section):
    """`[ingest]`: what one gateway may add, at once (`burst`) and for ever (`per_hour`).

    A normal vehicle brings 270,000 observations and 100 MB an hour (sent and unpacked). What is over a quota is parked
    and readable later."""

    rows_burst: int = Field(default=28_000_000, ge=100_000)
    """Observations and events of 72 h offline, and half as many more."""
    rows_per_hour: int = Field(default=1_080_000, ge=1_000)
    """Four normal vehicles."""
    bytes_burst: int = Field(default=12 << 30, ge=64 << 20)
    """A gateway's whole store, unpacked."""
    bytes_per_hour: int = Field(default=471_859_200, ge=1 << 20)
    """Four normal vehicles and some."""
    devices_burst: int = Field(default=256, ge=1)
    """Quota of new devices."""
    devices_per_hour: int = Field(default=32, ge=1)
    """A vehicle meets some a day."""
    epochs_burst: int = Field(default=16, ge=1)
    """Epochs (stores) that a gateway may begin at once."""
    epochs_per_hour: int = Field(default=1, ge=1)
    """A store is created a few times in the life of a box."""
    parked_bytes_max: int = Field(default=256 << 20, ge=0)
    """Batches that are parked for one gateway; beyond it the gateway keeps them itself."""


class HostSection(_Section):
    """`[hosts.NAME]`: one of the four hosts."""

    listen: Listen
    """HOST:PORT. Hosts with the same address share it and are told apart by the request's Host."""
    public_url: Annotated[str, BeforeValidator(_public_url)]
    """The address that clients use; everything that names this host (tokens, links, documents) derives from it."""


class HostsSection(_Section):
    """`[hosts]`: all four, or the section is left out."""

    auth: HostSection
    api: HostSection
    sandbox: HostSection
    docs: HostSection

    @model_validator(mode="after")
    def _told_apart(self) -> "HostsSection":
        names = [self.auth, self.api, self.sandbox, self.docs]
        shared = [host.public_url for host in names if [other.listen for other in names].count(host.listen) > 1]
        if len(set(shared)) != len(shared):
            raise ValueError("hosts that share an address need different public_url names, or nothing tells them apart")
        return self


def _network(value: object) -> str:
    try:
        return str(ipaddress.ip_network(value)) if isinstance(value, str) else _not_a_network()
    except ValueError:
        return _not_a_network()


def _not_a_network() -> str:
    raise ValueError('write an address or a network in quotes, for instance "10.0.0.0/8" or "::1"')


class HttpSection(_Section):
    """`[http]`: limits of the four hosts. Requests with a token count for each tenant and client, others for each
    address (IPv6: each /64)."""

    requests_per_minute: int = Field(default=6_000, ge=1)
    """Reading requests of one client."""
    writes_per_minute: int = Field(default=6_000, ge=1)
    """Changing requests of one client."""
    public_per_minute: int = Field(default=1_200, ge=1)
    """Requests without a token from one address."""
    tokens_per_minute: int = Field(default=300, ge=1)
    """Token requests from one address."""
    failures_per_minute: int = Field(default=30, ge=1)
    """Missing and wrong tokens from one address, and likewise wrong secrets, before it has to wait. A valid token never
    waits for them."""
    trusted_proxies: tuple[Annotated[str, BeforeValidator(_network)], ...] = Field(default=(), strict=False)
    """Reverse proxies whose `X-Forwarded-For` says who the client is. Without them it is the peer of the connection."""


class SecretsSection(_Section):
    """`[secrets]`: what seals the signing keys in the database."""

    master_key_file: FilePath | None = None
    """File of 32 octets in base64, made by `argus-cloud init-secrets`; keep a copy elsewhere, for without it every
    token and sealed value is lost. None: `master.key` beside a SQLite database; PostgreSQL needs it."""


class EgressSection(_Section):
    """`[egress]`: what the cloud may call. Without it: https to public addresses."""

    allow: tuple[Listen, ...] = Field(default=(), strict=False)
    """Exact HOST:PORT pairs, as they stand in a URL, that may be called although they are http, loopback or private,
    for instance `["127.0.0.1:9000"]`. Each is a door into your network for whoever may register a webhook."""


class SignInSection(_Section):
    """`[sign_in]`: what people need on the pages of the auth host."""

    second_factor: Literal["optional", "administrators", "everybody"] = "administrators"
    """Who must set up a second factor before anything else. Whoever has one is asked for it whatever stands here."""


class SilenceSection(_Section):
    """`[silence]`: after how long without a word the product tells that something is offline."""

    gateway_s: int = Field(default=300, ge=120, le=86_400)
    """Seconds, for a vehicle's gateway. It says every minute how it is."""
    device_s: int = Field(default=900, ge=60, le=86_400)
    """Seconds, for a device that was enrolled."""

    @property
    def gateway_us(self) -> int:
        return self.gateway_s * 1_000_000

    @property
    def device_us(self) -> int:
        return self.device_s * 1_000_000


class LogSection(_Section):
    """`[log]`: JSON lines on standard error. They never carry patient data."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe line that is written."""


class MetricsSection(_Section):
    """`[metrics]`: figures for Prometheus. Without this section none are offered."""

    listen: Listen
    """HOST:PORT of `GET /metrics`. Keep it on loopback or a network of your own: it tells of all tenants' business."""


class Settings(_Section):
    """The whole file. Only `database_url` is required: commands at the console need no more."""

    database_url: Annotated[str, BeforeValidator(_database_url), Field(repr=False)]
    """`sqlite:///PATH` or `postgresql://USER@HOST/NAME`."""
    objects_dir: FilePath | None = None
    """Folder for results and other large objects. None: beside a SQLite database; PostgreSQL needs it."""
    mqtt: MqttSection | None = None
    broker: BrokerSection | None = None
    ingest: IngestSection = IngestSection()
    hosts: HostsSection | None = None
    http: HttpSection = HttpSection()
    secrets: SecretsSection = SecretsSection()
    egress: EgressSection = EgressSection()
    sign_in: SignInSection = SignInSection()
    silence: SilenceSection = SilenceSection()
    log: LogSection = LogSection()
    metrics: MetricsSection | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if self.broker is not None and self.mqtt is not None:
            if self.mqtt.username is not None:
                raise ValueError("with [broker], leave [mqtt] username out: the name is derived from the password")
            if self.mqtt.password_file is None:
                raise ValueError("with [broker], [mqtt] password_file is required")
        return self


def read_password(path: Path) -> str:
    """The first line of a password file. Raises `SettingsUnusable`, which names the file only."""
    try:
        with path.open(encoding="utf-8") as file:
            password = file.readline(PASSWORD_LENGTH_MAX + 1).rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise SettingsUnusable(f"({path} cannot be read as a password file.)") from None
    if not password or len(password) > PASSWORD_LENGTH_MAX:
        raise SettingsUnusable(f"({path} has no password in its first line.)")
    return password


def read_settings(path: Path) -> Settings:
    """Read and check the file. Raises `SettingsUnusable`, which names the field and never quotes a value."""
    try:
        octets = path.read_bytes()[: FILE_OCTETS_MAX + 1]
    except OSError as error:
        raise SettingsUnusable(f"({path} cannot be read: {error.strerror}. Name it with --config.)") from None
    if len(octets) > FILE_OCTETS_MAX:
        raise SettingsUnusable(f"({path} is too large to be a settings file.)")
    try:
        values = tomllib.loads(octets.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsUnusable(f"({path} is not TOML: {error}.)") from None
    try:
        return Settings.model_validate(values, context={"folder": path.absolute().parent})
    except ValidationError as error:
        raise SettingsUnusable("\n".join(_told(path, one) for one in error.errors(include_input=False))) from None


def _told(path: Path, mistake: Any) -> str:
    """One mistake: where it is and what to do. Never the value, which may be a password."""
    field = ".".join(str(part) for part in mistake["loc"]) or "the file"
    said = {
        "extra_forbidden": "there is no such setting",
        "missing": "this setting is required",
    }.get(mistake["type"], mistake["msg"].removeprefix("Value error, "))
    return f"{path}: {field}: {said}"
