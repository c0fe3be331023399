"""`argus-cloud tree-heads`: list, make, check and export the signed tree heads of a tenant."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.master_key import load_master_key
from cloud.foundation.moments import write_moment
from cloud.work.provenance_keys import ProvenanceKeys, signers_of
from cloud.work.tree_heads.checking import TreeCheck
from cloud.work.tree_heads.exporting import files_for_expert
from cloud.work.tree_heads.keeping import TreeKeeper
from cloud.work.tree_heads.kept_heads import FILE_BYTES_MAX, read_kept_heads
from cloud.work.tree_heads.model import StoredHead
from cloud.work.tree_heads.settings import ProvenanceSection
from cloud.work.tree_heads.store import HeadStore
from cloud.work.tree_heads.time_stamps import read_certificates

LISTED_MAX = 1000
FAULTS_MAX = 1000

tree_heads = typer.Typer(help="The signed tree heads of a tenant's evidence records.", no_args_is_help=True)


@tree_heads.command("list")
def list_heads(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the heads of a tenant, newest first."""

    async def work(place: Workplace) -> list[dict[str, Any]]:
        async with place.database.read() as tx:
            found = await HeadStore().list(tx, tenant, before=None, count=LISTED_MAX)
        return [_row(head) for head in found]

    print_rows("Tree heads", run(context, work), as_json=as_json)


@tree_heads.command("make")
def make(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Make a head now, with the records of today, instead of after midnight (UTC)."""

    async def work(place: Workplace) -> StoredHead | None:
        stamps = place.settings.find(ProvenanceSection) is not None
        keeper = TreeKeeper(signers_of(place), stamps=stamps)
        more = 1
        while more:
            async with place.database.transaction() as tx:
                more = await keeper.make_now(tx, tenant, place.clock.now_us())
        async with place.database.read() as tx:
            return await HeadStore().latest(tx, tenant)

    head = run(context, work)
    if head is None:
        print_one("The tenant has no evidence yet.", {"tree_head": None}, as_json=as_json)
    else:
        sentence = f"The head of {head.tree_size} records was signed at {head.head.signed_at}."
        print_one(sentence, {"tree_head": _row(head)}, as_json=as_json)


@tree_heads.command("stamp")
def stamp(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Let the worker request the time stamps that are missing, also those that were given up."""

    async def work(place: Workplace) -> int:
        async with place.database.transaction() as tx:
            return await HeadStore().stamp_again(tx, tenant, place.clock.now_us())

    count = run(context, work)
    print_one(f"{count} heads are due for a time stamp.", {"tree_heads": count}, as_json=as_json)


@tree_heads.command("check")
def check(
    context: typer.Context,
    tenant: TenantOption,
    kept: Annotated[
        list[Path] | None,
        typer.Option("--head", help="File with heads that someone else has kept, to compare them. Repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every evidence record, root, signature and time stamp. Exit code 1 if there is a fault."""
    files = [_read(path) for path in kept or ()]

    async def work(place: Workplace) -> tuple[list[str], bool, int]:
        section = place.settings.find(ProvenanceSection)
        certificates = [] if section is None else read_certificates(section.time_stamp_certificates)
        keys = await signers_of(place).verify_keys(tenant)
        heads = [head for file in files for head in read_kept_heads(file, tenant)]
        checked = TreeCheck(place.database, tenant, keys, certificates, heads)
        faults = []
        async for fault in checked.faults(place.clock.now_us()):
            faults.append(fault)
            if len(faults) == FAULTS_MAX:
                faults.append("There may be more faults; the check ended here.")
                break
        return faults, bool(certificates), len(heads)

    faults, stamps_checked, count = run(context, work)
    sentence = "\n".join(faults) or "Every record, root and signature is right."
    if stamps_checked:
        sentence += "" if faults else " So is every time stamp."
    else:
        sentence += "\nTime stamps were not checked, since [provenance] names no certificates of a service."
    document = {
        "valid": not faults,
        "faults": faults,
        "time_stamps_checked": stamps_checked,
        "kept_heads_compared": count,
    }
    print_one(sentence, document, as_json=as_json)
    if faults:
        raise typer.Exit(1)


@tree_heads.command("export")
def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    tenant: TenantOption,
    record: Annotated[list[str] | None, typer.Option("--record", help="Id of a record to prove. Repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write all heads, the proofs between them, and the proofs of records, to a folder for an expert, with the files
    that OpenSSL verifies."""

    async def work(place: Workplace) -> dict[str, bytes]:
        keys = await ProvenanceKeys(place.database, place.clock, lambda: load_master_key(place.settings)).list()
        return await files_for_expert(place.database, place.operator(tenant), keys, record or ())

    files = run(context, work)
    try:
        folder.mkdir(mode=0o700)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        typer.echo(f"{folder} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(1) from None
    print_one(f"{len(files)} files are in {folder}.", {"folder": str(folder), "files": [*files]}, as_json=as_json)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}.") from None


def _row(head: StoredHead) -> dict[str, Any]:
    return {
        "tree_size": head.tree_size,
        "root_hash": head.head.root.hex(),
        "signed_at": head.head.signed_at,
        "signature_kid": head.signature_kid,
        "stamped_at": write_moment(head.stamped_at_us),
        "stamp_attempts": head.stamp_attempts,
        "stamp_failure": head.stamp_failure,
    }
