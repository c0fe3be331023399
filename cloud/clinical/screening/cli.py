"""`argus-cloud screening`: import sanctions lists and labels of wallets, list them, and search them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.clinical.screening.errors import ListHasProblems
from cloud.clinical.screening.explanation import explain, shown_list
from cloud.clinical.screening.model import Screened, ScreeningList, Subject
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.moments import write_moment

screening = typer.Typer(help="Sanctions lists and labels of wallets.", no_args_is_help=True)

LISTS_MAX = 1000
PIECE_BYTES = 1 << 16


def _shown(one: ScreeningList) -> dict[str, Any]:
    return {
        "name": one.name,
        "format": one.format,
        "state": one.state,
        "published_on": one.published_on,
        "entries": one.entries,
        "names": one.names,
        "wallets": one.wallets,
        "problems": one.problems,
        "imported_at": write_moment(one.started_at_us),
        "replaced_at": write_moment(one.current_until_us),
        "sha256": one.sha256,
    }


@screening.command("import")
def import_list(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file as its publisher offers it.")],
    tenant: TenantOption,
    format: Annotated[str, typer.Option("--format", help="ofac-xml, ofac-csv, un-xml, eu-xml or wallet-labels-csv.")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the list, of which this is a new edition. Default: the usual one."),
    ] = None,
    aliases: Annotated[
        Path | None, typer.Option("--aliases", metavar="FILE", help="ALT.CSV, for the format ofac-csv.")
    ] = None,
    accept_problems: Annotated[
        bool, typer.Option("--accept-problems", help="Use the list without the records that cannot be used.")
    ] = False,
    accept_smaller: Annotated[
        bool, typer.Option("--accept-smaller", help="Use the list although it has less than half the entries.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import an edition of a list and search it from now on. Until the import has succeeded, and if it fails, the
    edition before is searched."""
    # Here, since loading the readers of XML takes longer than most commands.
    from cloud.clinical.screening.importing import ImportedList, ListFile, ListImport

    if aliases is not None and format != "ofac-csv":
        raise typer.BadParameter("--aliases belongs to the format ofac-csv")
    main, second = _pieces(file), () if aliases is None else _pieces(aliases)

    async def imported(place: Workplace) -> ImportedList | ListHasProblems:
        wanted = ListFile(format=format, pieces=main, aliases=second, name=name)
        service = ListImport(place.database, place.clock)
        try:
            return await service.import_list(
                place.operator(tenant), wanted, accept_problems=accept_problems, accept_smaller=accept_smaller
            )
        except ListHasProblems as problems:
            return problems

    done = run(context, imported)
    if isinstance(done, ListHasProblems):
        for mistake in done.mistakes:
            typer.echo(f"- {mistake.detail}", err=True)
        typer.echo(done.sentence, err=True)
        raise typer.Exit(1)
    for problem in done.problems:
        typer.echo(f"- line {problem.line}: {problem.text}", err=True)
    made = done.list
    sentence = f"{made.name} is current: {made.entries} entries, {made.names} names, {made.wallets} wallets"
    print_one(f"{sentence}, {made.problems} records left out.", _shown(made), as_json=as_json)


@screening.command("lists")
def list_lists(
    context: typer.Context,
    tenant: TenantOption,
    limit: Annotated[int, typer.Option(min=1, max=LISTS_MAX, help="Maximum rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the imports of a tenant, newest first."""
    from cloud.clinical.screening.importing import ListImport

    found = run(
        context,
        lambda place: ListImport(place.database, place.clock).lists(place.operator(tenant), count=limit),
    )
    print_rows("Lists", map(_shown, found), as_json=as_json)


@screening.command("search")
def search_name(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name, in any script.")],
    tenant: TenantOption,
    birth_date: Annotated[
        str | None, typer.Option("--birth-date", help="Date of birth: 1948-12-10, 1948-12 or 1948.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search the current sanctions lists for a name. The search is not recorded."""
    from cloud.clinical.screening.search import Search
    from protocols.sanctions.dates import read_birth_date
    from protocols.sanctions.entry import EntryKind

    born = read_birth_date(birth_date)
    if birth_date is not None and (born is None or "/" in born):
        raise typer.BadParameter("--birth-date is a date such as 1948-12-10, 1948-12 or 1948")

    async def searched(place: Workplace) -> Screened:
        subject = Subject(names=[name], kinds=frozenset(EntryKind), birth_date=born)
        async with place.database.read() as tx:
            return await Search().screen(tx, place.operator(tenant), subject)

    found = run(context, searched)
    if as_json:
        print_rows("", [explain(hit) for hit in found.hits], as_json=True)
        return
    rows = [
        {
            "score": f"{hit.score:.2f}",
            "list": hit.list.name,
            "reference": hit.entry.reference,
            "name": hit.listed_name.text,
            "programmes": hit.entry.programmes,
            "explanation": explain(hit)["explanation"]["text"],
        }
        for hit in found.hits
    ]
    searched_lists = ", ".join(str(shown_list(one)["name"]) for one in found.lists) or "no list is imported"
    print_rows(f"Hits ({searched_lists})", rows, as_json=False)
    if not found.is_complete:
        typer.echo("Not all candidates were compared, since the name is too common. Search for more of it.", err=True)


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, which is opened now."""
    try:
        file = path.open("rb")
    except OSError as error:
        typer.echo(f"{path} cannot be read: {error.strerror}.", err=True)
        raise typer.Exit(1) from None

    def read() -> Iterator[bytes]:
        with file:
            while piece := file.read(PIECE_BYTES):
                yield piece

    return read()
