"""`argus-cloud bundles`: register operation bundles, and let apps use them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run

bundles = typer.Typer(help="Operation bundles: the GraphQL documents that apps may send.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="BUNDLE", help="Name of the bundle.")]
VersionOption = Annotated[int, typer.Option("--version", help="Version of the bundle.")]
AppArgument = Annotated[str, typer.Argument(help="The app's client id, app_….")]

FILE_BYTES_MAX = 1 << 20


def _service(place: Workplace) -> Any:
    # Here, since loading the schema takes longer than most commands.
    from cloud.partners.graphql.bundles import Bundles

    return Bundles(place.database, place.clock)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise typer.BadParameter(f"{file} has more than {FILE_BYTES_MAX} bytes")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read as a text: {type(error).__name__}") from None


@bundles.command("add")
def add_bundle(
    context: typer.Context,
    bundle: NameArgument,
    version: VersionOption,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="GraphQL documents, one operation in each file.")
    ],
    as_json: AsJson = False,
) -> None:
    """Register a version of a bundle and print the ids of its documents. A registered version never changes."""
    texts = [_text(file) for file in files]
    added = run(context, lambda place: _service(place).register(bundle, version, texts))
    rows = [{"operation": one.operation, "document_id": f"sha256:{one.digest}"} for one in added]
    print_rows(f"{bundle} {version}", rows, as_json=as_json)


@bundles.command("list")
def list_bundles(context: typer.Context, as_json: AsJson = False) -> None:
    """List the versions of all registered bundles."""
    found = run(context, lambda place: _service(place).list())
    rows = [{"bundle": one.name, "version": one.version, "documents": one.documents, "apps": one.apps} for one in found]
    print_rows("Bundles", rows, as_json=as_json)


@bundles.command("show")
def show_bundle(context: typer.Context, bundle: NameArgument, version: VersionOption, as_json: AsJson = False) -> None:
    """Show the documents of a version, and the apps that may send them."""
    documents, grants = run(context, lambda place: _service(place).show(bundle, version))
    listed = [
        {"document_id": f"sha256:{one.digest}", "operation": one.operation, "text": one.text} for one in documents
    ]
    apps = [{"tenant_id": one.tenant_id, "client_id": one.client_id} for one in grants]
    shown = {"bundle": bundle, "version": version, "documents": listed, "apps": apps}
    lines = [f"{one['document_id']}\n{one['text']}" for one in listed]
    names = ", ".join(one["client_id"] for one in apps) or "none"
    print_one("\n".join([*lines, f"Apps: {names}"]), shown, as_json=as_json)


@bundles.command("remove")
def remove_bundle(
    context: typer.Context, bundle: NameArgument, version: VersionOption, as_json: AsJson = False
) -> None:
    """Delete a version of a bundle that no app uses."""
    run(context, lambda place: _service(place).remove(bundle, version))
    print_one(f"{bundle} {version} removed.", {"bundle": bundle, "version": version, "removed": True}, as_json=as_json)


@bundles.command("grant")
def grant_bundle(
    context: typer.Context,
    app: AppArgument,
    bundle: NameArgument,
    version: VersionOption,
    tenant: TenantOption,
    as_json: AsJson = False,
) -> None:
    """Let an app send the documents of a version of a bundle."""
    run(context, lambda place: _service(place).grant(place.operator(tenant), app, bundle, version))
    document = {"client_id": app, "bundle": bundle, "version": version, "granted": True}
    print_one(f"{app} may send the documents of {bundle} {version}.", document, as_json=as_json)


@bundles.command("revoke")
def revoke_bundle(
    context: typer.Context,
    app: AppArgument,
    bundle: NameArgument,
    version: VersionOption,
    tenant: TenantOption,
    as_json: AsJson = False,
) -> None:
    """Withdraw a version of a bundle from an app. Its next request with one of the documents is refused."""
    run(context, lambda place: _service(place).revoke(place.operator(tenant), app, bundle, version))
    document = {"client_id": app, "bundle": bundle, "version": version, "granted": False}
    print_one(f"{app} may not send the documents of {bundle} {version}.", document, as_json=as_json)
