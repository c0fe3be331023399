"""Command `argus-gateway provision`: makes the keys, the store and the crew PIN of a gateway.

Only missing parts are made, and none is replaced: a second run prints the same key. If there are keys but no store, the
command refuses: the disk may not be mounted, and a new store would begin a second history under the same name.
`--new-store` confirms that a new store is intended. With this option, an existing store that cannot be used is set
aside and replaced; if the existing store can be used, the command refuses.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from gateway.buffer import BufferSettings, create_store
from gateway.buffer.open_store import StorePlace
from gateway.buffer.spare_store import open_or_replace
from gateway.buffer.store_reader import StoreReader
from gateway.cli.crew import import_file, print_pins
from gateway.cli.output import print_json
from gateway.cli.refusal import Refusal
from gateway.durable import make_folder
from gateway.security.crew_pin import CrewPin
from gateway.security.identity import REQUEST_FILE, Identity
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.settings import Settings, load
from gateway.transports.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A gateway after provisioning. `crew_pin` is None without a crew page. `certificate_request` is None where the TLS
    key was made elsewhere. `created` lists the parts that this run made."""

    gateway: str
    tenant: str
    vehicle: str
    public_key: str
    epoch: str
    crew_pin: str | None
    certificate_request: str | None
    created: tuple[str, ...]


def provision(config: Path, *, as_json: bool, new_store: bool, new_key: bool = False, crew: Path | None = None) -> None:
    """Make what is missing, and print it. `crew`: a CSV file of crew members to add."""
    settings = load(config)
    made = provisioned(settings, new_store=new_store, new_key=new_key)
    added = [] if crew is None else import_file(settings, crew)
    if as_json:
        pins = {"crew_members": [{"id": each.id, "pin": each.pin} for each in added]}
        print_json({**asdict(made), **({} if crew is None else pins)})
        return
    if added:
        print_pins(added, as_json=False)
    typer.echo(f"{made.gateway} is provisioned ({', '.join(made.created) or 'nothing was missing'}).")
    typer.echo(f"public key  {made.public_key}")
    typer.echo(f"epoch       {made.epoch}")
    if made.crew_pin is not None:
        typer.echo(f"crew PIN    {made.crew_pin}")
    if made.certificate_request is not None:
        typer.echo(f"request     {made.certificate_request}  (for argus-cloud broker certificate)")
    if new_key:
        typer.echo(
            f"Register the new key with: argus-cloud gateways replace-key {made.gateway} --tenant {made.tenant} "
            f"--public-key {made.public_key} --reason …"
        )
        typer.echo("Then restart the gateway: it signs with the previous key until then.")
        return
    typer.echo(
        f"Register it with: argus-cloud gateways add --tenant {made.tenant} --organization … --vehicle {made.vehicle} "
        f"--id {made.gateway} --public-key {made.public_key}"
    )


def provisioned(settings: Settings, *, new_store: bool = False, new_key: bool = False) -> Provisioned:
    """Make the missing keys, store and PIN of a gateway, and return the state of the gateway afterwards."""
    make_folder(settings.gateway.state_dir)
    created: list[str] = []
    identity = _identity(settings, created, new_store=new_store)
    identity = _keys(identity, settings, created, new_key=new_key)
    epoch = _store(settings, identity, created, new_store=new_store)
    pin = _pin(settings, created)
    request = settings.identity_dir / REQUEST_FILE
    return Provisioned(
        settings.gateway.id,
        settings.gateway.tenant,
        settings.gateway.vehicle,
        identity.public_key_base64,
        epoch,
        pin,
        None if not request.exists() else str(request),
        tuple(created),
    )


def _identity(settings: Settings, created: list[str], *, new_store: bool) -> Identity:
    if not settings.identity_dir.exists():
        if settings.store_path.exists():
            raise Refusal(
                f"{settings.identity_dir} is missing although there is a store: without its key it is unreadable; "
                "bring the folder back from a backup, or move the store away to begin a new history"
            )
        created.append("identity")
        return Identity.create(settings.identity_dir, settings.gateway.id)
    if not settings.store_path.exists() and not new_store:
        raise Refusal(
            f"{settings.store_path} is missing although this gateway has its keys: its disk may not be mounted; mount "
            "it, or begin a new history with --new-store (what the previous store had not sent is not in it)"
        )
    identity = Identity.load(settings.identity_dir)
    if identity.gateway != settings.gateway.id:
        raise Refusal(
            f"{settings.identity_dir} is the identity of {identity.gateway}, not of {settings.gateway.id}: correct "
            "[gateway] id, or give this gateway a state_dir of its own"
        )
    return identity


def _keys(identity: Identity, settings: Settings, created: list[str], *, new_key: bool) -> Identity:
    """Encrypt plain key files of earlier versions, and make missing or requested keys. Return the new identity."""
    identity.seal()
    try:
        if not identity.has_tls_key and (settings.mqtt is None or settings.mqtt.key_file is None):
            identity.make_tls_key()
            created.append("TLS key")
        if new_key and "identity" not in created:
            identity = identity.replace_signing_key()
            created.append("signing key")
    except OSError as error:
        raise Refusal(
            f"{settings.identity_dir} cannot be written ({error.strerror}): this gateway keeps the keys that it has; "
            "make room or correct its owner"
        ) from error
    return identity


def _store(settings: Settings, identity: Identity, created: list[str], *, new_store: bool) -> str:
    path, clock = settings.store_path, TrustedClock(SystemClock())
    if not path.exists():
        created.append("store")
        return create_store(path, gateway=settings.gateway.id, key=identity.store_key, now_us=clock.wall_us())
    if not new_store:
        reader = StoreReader(path, gateway=settings.gateway.id, key=identity.store_key)
        try:
            return reader.about.epoch
        finally:
            reader.close()
    place = StorePlace(
        path=path, gateway=settings.gateway.id, key=identity.store_key, settings=BufferSettings(), clock=clock
    )
    files, aside = open_or_replace(place, None)
    epoch = files.store.about.epoch
    files.close()
    if aside is None:
        raise Refusal(
            f"{path} can be used, so no new store was made: its unsent batches would not be sent; "
            "to begin a new history all the same, move it, its -wal and its .marks away first"
        )
    created.append(f"store (the previous one was set aside as {aside.path.name})")
    return epoch


def _pin(settings: Settings, created: list[str]) -> str | None:
    """Return the crew's PIN, made if it is missing; None without a crew page."""
    if settings.crew is None and not settings.pin_path.exists():
        return None
    if settings.pin_path.exists():
        return CrewPin.load(settings.pin_path).text
    created.append("crew PIN")
    return CrewPin.create(settings.pin_path).text
