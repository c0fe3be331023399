"""The gateway's settings: one TOML file, read once, checked whole, then plain values.

No setting comes from the environment: an operator edits `/etc/argus/gateway.toml` once, and could not find a value from
elsewhere in the vehicle. The reader is strict: a number in quotes is an error, and so is a misspelt key, because a
setting that is ignored would silently have no effect. An error names the file, the line, the field and what to write
instead. Relative paths are relative to the file, so that a state folder can be moved whole.

Secrets are never in this file: it names files that hold them. `doctor` and the parts that use these files check whether
they can be read.
"""

import base64
import binascii
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

_FILE_BYTES_MAX = 262_144
_PUBLIC_KEY_BYTES = 32
_HOST_NAME_LENGTH_MAX = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""A label of a host name (RFC 1123 §2.1)."""
"""A settings file has about two kilobytes, so a file above this limit is the wrong one."""
BLUEZ = "gateway.transports.bluez:BluezBackend"
"""The default BLE stack: BlueZ, the Bluetooth stack of Linux."""


class SettingsError(Exception):
    """The settings cannot be used; the text is the diagnosis: file, line, field and what to write."""


class Address(NamedTuple):
    """An address to listen on: a host name or address, and a port (0: any free one)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:]+)):(\d{1,5})", value) if isinstance(value, str) else None
    if found is None or int(found[3]) > 65_535:
        raise ValueError('write "HOST:PORT", for instance "127.0.0.1:6024" or "[::1]:6024"')
    return Address(found[1] or found[2], int(found[3]))


def _path(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError('write a path in quotes, for instance "/var/lib/argus"')
    folder = info.context["folder"] if info.context else Path()
    return Path(folder, Path(value).expanduser())


def _broker_url(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or parts.username or parts.path:
        raise ValueError(
            'write "mqtt://HOST:PORT" or, with TLS, "mqtts://HOST:PORT"; user name and password have their own keys'
        )
    return str(value)


_LOOPBACKS = frozenset(("127.0.0.1", "::1", "localhost"))
"""Hosts that need no TLS, because what is sent to them does not leave the machine."""


def _docs_url(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if (
        parts is None
        or not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
        or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACKS))
    ):
        raise ValueError('write the address of the docs host, for instance "https://docs.example"')
    return str(value).rstrip("/")


def _zone(value: object) -> str:
    try:
        return ZoneInfo(value if isinstance(value, str) else "").key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            'write the name of a time zone of this machine, for instance "Europe/Zurich" or "UTC"'
        ) from None


def _host_name(value: object) -> str:
    name = value.removesuffix(".").lower() if isinstance(value, str) else ""
    if len(name) > _HOST_NAME_LENGTH_MAX or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(
            'write a host name of ASCII letters, digits, hyphens and dots, for instance "tablet.ambulance.example"; a '
            'name with other letters has an ASCII form, which begins with "xn--"'
        )
    return name


def _public_key(value: object) -> bytes:
    try:
        key = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except binascii.Error:
        key = b""
    if len(key) != _PUBLIC_KEY_BYTES:
        raise ValueError("write the public key as `argus-cloud missions key` prints it: 32 bytes in base64")
    return key


DocsUrl = Annotated[str, BeforeValidator(_docs_url)]
Listen = Annotated[Address, BeforeValidator(_address)]
FilePath = Annotated[Path, BeforeValidator(_path), Field(strict=False)]
PublicKey = Annotated[bytes, BeforeValidator(_public_key)]
BrokerUrl = Annotated[str, BeforeValidator(_broker_url)]
Zone = Annotated[str, BeforeValidator(_zone)]
HostName = Annotated[str, BeforeValidator(_host_name)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class GatewaySection(_Section):
    """`[gateway]`: the identity of this gateway, and the folder of its state."""

    id: Identifier
    """The name under which the cloud registered this gateway (`argus-cloud gateways add --id`)."""
    tenant: Identifier
    """The tenant that owns the vehicle, as the cloud names it (`tnt_…`)."""
    vehicle: Identifier
    """The vehicle, as the cloud names it (`veh_…`)."""
    state_dir: FilePath
    """Folder of the store, the keys and the control socket, on the vehicle's own disk. `provision` creates it with mode
    0700."""


class MqttSection(_Section):
    """`[mqtt]`: the connection to the cloud. Without this section the gateway buffers and never sends."""

    url: BrokerUrl
    """`mqtt://HOST:PORT` (1883 when no port is given) or `mqtts://HOST:PORT` (8883)."""
    username: str | None = Field(default=None, min_length=1, max_length=256)
    """Broker user. None: the broker takes the identity from the client certificate."""
    password_file: FilePath | None = None
    """File whose first line is the broker password. Once read, it is sealed with the store's key and the file removed.
    """
    ca_file: FilePath | None = None
    """PEM of the authority that signed the broker's certificate. None: the system's authorities. Only with `mqtts`."""
    cert_file: FilePath | None = None
    """PEM client certificate; only together with `key_file`."""
    key_file: FilePath | None = None
    """PEM private key of `cert_file`; sealed and removed like the password."""
    mission_keys: tuple[PublicKey, ...] = Field(default=(), max_length=4, strict=False)
    """Public keys of the cloud that sign missions from the dispatch system (`argus-cloud missions key`). Without a key,
    missions are refused, and the crew opens each report itself."""

    @model_validator(mode="after")
    def _consistent(self) -> "MqttSection":
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("give cert_file and key_file together, or neither")
        if not self.url.startswith("mqtts:") and (self.ca_file or self.cert_file):
            raise ValueError('ca_file and cert_file need TLS: write url = "mqtts://HOST:PORT"')
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        return self


class SerialSection(_Section):
    """`[[serial]]`: one serial port with a device behind it; repeat the section for each port."""

    path: FilePath
    """The port, best by a name that does not change: `/dev/serial/by-id/…`. It may be absent; the gateway waits for
    it."""
    framing: Literal["raw", "hdlc"] = "raw"
    """`raw`: APDUs follow each other. `hdlc`: flag, escape and CRC-16 around each, for RS-232 that loses bytes."""
    baud: int = Field(default=115_200, ge=1_200, le=4_000_000)
    """Bits a second; 8 data bits, no parity, one stop bit. Ignored by pseudo-terminals."""


class TcpSection(_Section):
    """`[tcp]`: a listener for devices that use 11073-20601 over TCP. Without this section there is none."""

    listen: Listen
    """HOST:PORT. Devices are not authenticated, so listen on the vehicle's own network only."""
    sessions_max: int = Field(default=16, ge=1, le=256)
    """Maximum number of connections. A further one replaces a connection without an association. If there is none, an
    accepted device replaces one that no operator has accepted, and any other connection is closed."""


class BleSection(_Section):
    """`[ble]`: Bluetooth Low Energy devices, each used only after it was paired (`argus-gateway ble`). Without this
    section, and without `ble_backend`, there is no Bluetooth."""

    adapter: str | None = Field(default=None, min_length=1, max_length=256)
    """Name of the adapter in the Bluetooth stack (`hci0`); for the simulators' virtual radio, its socket. None: the
    first adapter."""
    bonds_dir: FilePath | None = None
    """Folder of the bonds, for a stack that keeps none of its own (BlueZ does). None: `bonds` in the state_dir."""
    connections_max: int = Field(default=5, ge=1, le=32)
    """Maximum number of connected devices; cheap adapters support five to seven. Further devices take turns."""
    require_bond: bool = True
    """True: a device that does not bond is paired only with `--without-bond`. False: it is paired without a bond."""
    fetch_records: bool = True
    """True: records that a device stored while it was not connected are fetched."""
    delete_records: bool = False
    """True: a device deletes its records once all of them are durable here. False: it keeps its copy."""


class CrewSection(_Section):
    """`[crew]`: the page for the crew's tablet. Without this section there is none."""

    listen: Listen
    """HOST:PORT of the page."""
    pin_file: FilePath | None = None
    """File with the six-digit PIN. None: `crew.pin` in the state_dir, made by `provision`."""
    host_names: tuple[HostName, ...] = Field(default=(), max_length=16, strict=False)
    """Names under which tablets open the page, in lower case, beside the machine's own name and its addresses."""
    mdns: bool = True
    """True: the page is announced in the vehicle's network as `argus.local`, by multicast DNS."""
    lock_after_s: int = Field(default=300, ge=30, le=3_600)
    """Seconds without a touch after which a crew member's session is locked. The live values stay visible."""
    docs_url: DocsUrl | None = None
    """Address of the cloud's docs host, such as `https://docs.example`, on which hospitals open share links. None: the
    crew cannot share a hand-over over the cloud."""


class BufferSection(_Section):
    """`[buffer]`: how much the gateway keeps, and for how long."""

    retention_h: int = Field(default=72, ge=1, le=8_760)
    """Hours that acknowledged rows are kept, so that a restored cloud can request them again."""
    disk_budget_mb: int = Field(default=4_096, ge=32, le=1_048_576)
    """Megabytes for the store; beyond it waveforms are dropped first (with a gap record), then the oldest numerics,
    never events."""
    open_reports_days: int = Field(default=30, ge=1, le=365)
    """Days that a report is kept until it is signed, also where the cloud has acknowledged it. Afterwards it can be
    neither changed nor signed on the vehicle."""
    witness_file: FilePath | None = None
    """For tests: a file that gets the line `epoch lane sequence`, flushed to disk, after each commit."""


class DevicesSection(_Section):
    """`[devices]`: the configurations and the memory of 11073 devices."""

    known_configurations: bool = True
    """True: standard configurations are known. False: each new device must send its configuration once."""
    fetch_memory: bool = True
    """True: the measurements in a device's memory are fetched when it associates."""
    clear_memory: bool = False
    """True: a device clears a segment of its memory once all of it is durable here. False: it keeps its copy."""


class ClocksSection(_Section):
    """`[clocks]`: the clocks of the devices. Their offset is always measured, and stored beside every time."""

    set_devices: bool = True
    """True: a device's wrong clock is set if the device allows it and the gateway's clock is synchronised."""
    offset_s_max: float = Field(default=5.0, ge=1.0, le=3_600.0)
    """Largest error of a device's clock, in seconds, at which the clock is not set."""
    pause_min: int = Field(default=60, ge=1, le=10_080)
    """Shortest pause in minutes between two attempts to set a device's clock; doubled after each failed attempt."""
    read_every_s: int = Field(default=600, ge=10, le=86_400)
    """Seconds between two readings of a device's clocks."""
    zone: Zone = "UTC"
    """The time zone whose local time devices show: a name of the time zone database, for instance "Europe/Zurich"."""


class LogSection(_Section):
    """`[log]`: JSON lines on standard error. They never carry patient data."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is written."""


class Settings(_Section):
    """The whole file. Only `[gateway]` is required."""

    gateway: GatewaySection
    mqtt: MqttSection | None = None
    serial: tuple[SerialSection, ...] = Field(default=(), max_length=32, strict=False)
    tcp: TcpSection | None = None
    ble: BleSection | None = None
    crew: CrewSection | None = None
    buffer: BufferSection = BufferSection()
    devices: DevicesSection = DevicesSection()
    clocks: ClocksSection = ClocksSection()
    log: LogSection = LogSection()
    ble_backend: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    """The BLE stack as `module:Class`. None: BlueZ if there is a `[ble]` section, else no Bluetooth. The class is
    loaded when the gateway starts, not here."""

    @model_validator(mode="after")
    def _one_link_a_port(self) -> "Settings":
        paths = [port.path for port in self.serial]
        if len(set(paths)) != len(paths):
            raise ValueError("two [[serial]] sections name the same path; a port has one reader")
        return self

    @property
    def bluetooth(self) -> tuple[str, BleSection] | None:
        """The name of the BLE stack and the `[ble]` section (or its defaults); None if Bluetooth is not configured."""
        if self.ble is None and self.ble_backend is None:
            return None
        return self.ble_backend or BLUEZ, self.ble or BleSection()

    @property
    def bonds_dir(self) -> Path:
        named = self.ble.bonds_dir if self.ble else None
        return named or self.gateway.state_dir / "bonds"

    @property
    def store_path(self) -> Path:
        return self.gateway.state_dir / "buffer.sqlite"

    @property
    def identity_dir(self) -> Path:
        return self.gateway.state_dir / "identity"

    @property
    def control_path(self) -> Path:
        return self.gateway.state_dir / "control.sock"

    @property
    def pin_path(self) -> Path:
        named = self.crew.pin_file if self.crew else None
        return named or self.gateway.state_dir / "crew.pin"


def load(path: Path) -> Settings:
    """Read and check a settings file. Raises only `SettingsError`, with one sentence for each mistake."""
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist: name the gateway's settings file with --config") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): run as the gateway's user") from None
    if len(octets) > _FILE_BYTES_MAX:
        raise SettingsError(f"{path} has {len(octets)} bytes and is no settings file: name the right one with --config")
    try:
        text = octets.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    try:
        return Settings.model_validate(document, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(path, text, dict(each)) for each in error.errors())) from None


def _sentence(path: Path, text: str, error: dict[str, Any]) -> str:
    """Describe one mistake: where it is and what to write. The value is left out, because it may be a secret in the
    wrong place."""
    field = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"]) or "the file"
    line = _line_of(text, error["loc"])
    where = f"{path}, line {line}, {field}" if line else f"{path}, {field}"
    match error["type"]:
        case "missing":
            return f"{where}: is missing; add it (systemd/gateway.toml shows every setting)"
        case "extra_forbidden":
            return f"{where}: no such setting; remove it or correct its name (systemd/gateway.toml shows every setting)"
        case "value_error":
            return f"{where}: {error['ctx']['error']}"
        case "string_pattern_mismatch" if field == "ble_backend":
            return f'{where}: write "module:Class", for instance "{BLUEZ}"'
        case "string_pattern_mismatch":
            return f"{where}: write 1 to 64 letters, digits, _ or -"
        case _:
            message = str(error["msg"])
            return f"{where}: {message[:1].lower()}{message[1:]}"


def _line_of(text: str, location: tuple[str | int, ...]) -> int | None:
    """Return the line of the key at `location` or, if the key is missing, of its table's header; None
    without either."""
    names = [part for part in location if isinstance(part, str)]
    nth = next((part for part in location if isinstance(part, int)), 0)
    if not names:
        return None
    table, seen, header_line = "", {"": 1}, None
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?\s*([\w.-]+)\s*\]\]?", line):
            table = header[1]
            seen[table] = seen.get(table, 0) + 1
            if table == names[0] and seen[table] == nth + 1:
                header_line = number
        elif key := re.match(r"\s*([\w-]+)\s*=", line):
            inside = names[0] == table and seen[table] == nth + 1 and names[1:2] == [key[1]]
            if inside or (not table and names == [key[1]]):
                return number
    return header_line
