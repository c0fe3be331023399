"""`argus-cloud broker`: configure the broker, manage the certificate authority, and issue certificates."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from cloud.foundation.command import (
    AsJson,
    TenantOption,
    Workplace,
    or_exit,
    print_one,
    print_rows,
    run,
    settings_of,
)
from cloud.foundation.errors import PrivateError
from cloud.foundation.master_key import load_master_key
from cloud.foundation.moments import write_moment
from cloud.foundation.settings import SettingsUnusable
from cloud.vehicles.fleet.access import GatewayAccessDesk
from cloud.vehicles.fleet.authority import (
    CERTIFICATE_DAYS,
    Authority,
    AuthorityUnusable,
    create_authority,
    read_request,
)
from cloud.vehicles.fleet.authority_store import AuthorityStore
from cloud.vehicles.fleet.broker_configuration import PLUGIN, BrokerLayout, find_plugin, system_files
from cloud.vehicles.fleet.broker_directory import BrokerDirectory
from cloud.vehicles.fleet.broker_files import CA_FILE, read_file, server_files, write_all
from cloud.vehicles.fleet.errors import AuthorityTaken
from cloud.vehicles.fleet.rabbitmq_cli import config_rabbitmq, declare_queues
from cloud.vehicles.fleet.settings import BrokerSection, MqttSection

broker = typer.Typer(help="The MQTT broker beside the cloud.", no_args_is_help=True)
authority = typer.Typer(help="The certificate authority of the fleet.", no_args_is_help=True)
broker.add_typer(authority, name="authority")
broker.command("config-rabbitmq")(config_rabbitmq)
broker.command("declare")(declare_queues)


class PluginAbsent(PrivateError, code="plugin_absent"):
    """The dynamic-security plugin of mosquitto is missing; install Debian's package, or name the file with --plugin."""


def directory_of(place: Workplace) -> BrokerDirectory | None:
    """Return the directory of the broker's lists; None without `[broker]`."""
    section, mqtt = place.settings.find(BrokerSection), place.settings.find(MqttSection)
    if section is None:
        return None
    login = None if mqtt is None else mqtt.login()
    return BrokerDirectory(
        place.database, place.clock, lambda: load_master_key(place.settings), section.directory, login
    )


@broker.command("config")
def configure(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to, in place of the root folder.")],
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Host name or address of the broker; issues its certificate. Repeatable."),
    ] = None,
    vehicles_port: Annotated[
        int, typer.Option("--vehicles-port", min=1, max=65535, help="Port for the vehicles.")
    ] = 8883,
    cloud_port: Annotated[int, typer.Option("--cloud-port", min=1, max=65535, help="Port for the cloud.")] = 8884,
    cloud_address: Annotated[
        str | None, typer.Option("--cloud-address", help="Address of the cloud's listener. Default: all addresses.")
    ] = None,
    plugin: Annotated[
        Path | None,
        typer.Option("--plugin", help=f"Path of {PLUGIN} on the broker's machine; Debian's without it."),
    ] = None,
    loopback: Annotated[
        bool,
        typer.Option("--loopback", help="For one machine without TLS: passwords, 127.0.0.1, all files in DIR."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the configuration of mosquitto, of its unit, and of what reloads it."""
    settings = settings_of(context)
    section = settings.find(BrokerSection)
    if section is None:
        or_exit(_require_section)
        return
    library = plugin or or_exit(_installed_plugin)
    if loopback:
        files = _loopback_files(folder.absolute(), section.directory, library, vehicles_port, cloud_port)
    else:
        layout = BrokerLayout(
            live=section.directory,
            plugin=library,
            vehicles_port=vehicles_port,
            cloud_port=cloud_port,
            cloud_address=cloud_address,
        )
        files = {folder / path.relative_to("/"): text.encode() for path, text in system_files(layout).items()}
        issued = run(context, lambda place: server_files(place, name or []))
        for path, content in {CA_FILE: issued[0], layout.certificate: issued[1], layout.key: issued[2]}.items():
            if content is not None:
                files[folder / path.relative_to("/")] = content
    or_exit(lambda: write_all(files, private=loopback))
    written = sorted(str(path) for path in files)
    print_one("\n".join(written), {"files": written}, as_json=as_json)


def _require_section() -> None:
    raise SettingsUnusable(
        "([broker] directory is required: the folder for the lists that the cloud writes for mosquitto.)"
    )


def _installed_plugin() -> Path:
    """Return the path of the plugin. The file must exist only if mosquitto is installed here, because mosquitto may run
    on another machine. Raises `PluginAbsent`."""
    found = find_plugin()
    if not found.exists() and shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None:
        raise PluginAbsent(f"({found} does not exist.)")
    return found


def _loopback_files(
    folder: Path, live: Path, plugin: Path, vehicles_port: int, cloud_port: int
) -> Mapping[Path, bytes]:
    layout = BrokerLayout(
        live=live,
        plugin=plugin,
        folder=folder,
        vehicles_port=vehicles_port,
        vehicles_address="127.0.0.1",
        cloud_port=cloud_port,
        cloud_address="127.0.0.1",
        tls=False,
    )
    texts = system_files(layout)
    # mosquitto started as root switches to a user that cannot read the folder.
    root = "user root\n" if os.geteuid() == 0 else ""
    return {folder / "mosquitto.conf": (texts[folder / "conf.d" / "argus.conf"] + root).encode()}


@broker.command("refresh")
def refresh(context: typer.Context, as_json: AsJson = False) -> None:
    """Write the rights and the revoked certificates that mosquitto reads. The worker does it by itself."""

    async def work(place: Workplace) -> dict[str, object]:
        directory = directory_of(place)
        if directory is None:
            raise SettingsUnusable("([broker] directory is required.)")
        done = await directory.refresh()
        return {"files": list(done.files), "gateways": len(done.admitted), "revoked_certificates": done.revoked}

    done = run(context, work)
    print_one(
        f"{done['gateways']} gateways are admitted, {done['revoked_certificates']} certificates are revoked.",
        done,
        as_json=as_json,
    )


@broker.command("certificate")
def issue_certificate(
    context: typer.Context,
    tenant: TenantOption,
    gateway: Annotated[str, typer.Option("--gateway", help="The gateway's id, gw_….")],
    request: Annotated[Path, typer.Option("--request", help="`client.csr`, as `argus-gateway provision` writes it.")],
    out: Annotated[Path, typer.Option("--out", help="File for the certificate.")],
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Validity in days.")] = CERTIFICATE_DAYS,
    as_json: AsJson = False,
) -> None:
    """Issue the certificate with which a gateway signs in at the broker. Its key stays in the vehicle."""
    key = or_exit(lambda: read_request(read_file(request)))

    async def work(place: Workplace) -> x509.Certificate:
        desk = GatewayAccessDesk(place.database, place.clock, place.ids)
        return await desk.issue_certificate(
            place.operator(tenant), gateway, key, lambda: load_master_key(place.settings), days=days
        )

    made = run(context, work)
    or_exit(lambda: write_all({out: made.public_bytes(Encoding.PEM)}))
    expires_at = write_moment(int(made.not_valid_after_utc.timestamp()) * 1_000_000)
    print_one(
        f"{out} is the certificate of {gateway} until {expires_at}.",
        {"gateway_id": gateway, "serial": f"{made.serial_number:x}", "expires_at": expires_at, "file": str(out)},
        as_json=as_json,
    )


@authority.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="Name of the authority in its certificates.")] = "Argus fleet",
    another: Annotated[
        bool, typer.Option("--another", help="Create one although there is one, to replace it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create the certificate authority. Its key is sealed under the master key in the database."""

    async def work(place: Workplace) -> Authority:
        made = create_authority(place.ids.new("aut"), name, place.clock.now_us())
        await _add(place, made, another=another)
        return made

    _print_added(run(context, work), as_json=as_json)


@authority.command("import")
def import_authority(
    context: typer.Context,
    certificate: Annotated[Path, typer.Option("--certificate", help="Certificate of your authority, PEM.")],
    key: Annotated[
        Path,
        typer.Option("--key", help="Its private key, PEM without a passphrase; the file can be removed afterwards."),
    ],
    another: Annotated[bool, typer.Option("--another", help="Import it although there is one.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import an existing authority, so that its certificates remain valid and can be revoked."""

    async def work(place: Workplace) -> Authority:
        made = _read_authority(place.ids.new("aut"), read_file(certificate), read_file(key))
        await _add(place, made, another=another)
        return made

    _print_added(run(context, work), as_json=as_json)


@authority.command("list")
def list_authorities(context: typer.Context, as_json: AsJson = False) -> None:
    """List the certificate authorities; the newest issues."""

    async def work(place: Workplace) -> list[tuple[str, x509.Certificate]]:
        async with place.database.read() as tx:
            return list(await AuthorityStore().certificates(tx))

    rows = [
        {
            "id": id,
            "name": certificate.subject.rfc4514_string(),
            "expires_at": write_moment(int(certificate.not_valid_after_utc.timestamp()) * 1_000_000),
        }
        for id, certificate in run(context, work)
    ]
    print_rows("Authorities", rows, as_json=as_json)


async def _add(place: Workplace, made: Authority, *, another: bool) -> None:
    store, master = AuthorityStore(), load_master_key(place.settings)
    async with place.database.transaction() as tx:
        if await store.certificates(tx) and not another:
            raise AuthorityTaken
        await store.add(tx, made, master, place.clock.now_us())


def _read_authority(id: str, certificate: bytes, key: bytes) -> Authority:
    try:
        private = load_pem_private_key(key, password=None)
        read = x509.load_pem_x509_certificate(certificate)
    except (ValueError, TypeError) as error:
        raise AuthorityUnusable(
            f"(The files are not a certificate and its key in PEM: {type(error).__name__}.)"
        ) from None
    return Authority.of(id, read, private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def _print_added(made: Authority, *, as_json: bool) -> None:
    subject = made.certificate.subject.rfc4514_string()
    print_one(
        f"{subject} was added as {made.id}. Next: argus-cloud broker config, or restart the running broker.",
        {"id": made.id, "name": subject, "certificate": made.certificate_pem.decode()},
        as_json=as_json,
    )
