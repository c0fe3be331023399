"""Command lines of `argus-gateway epcr`; `epcr` executes them."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import AsJson, config_of
from gateway.cli.refusal import refusing
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order

epcr_app = typer.Typer(
    help="Care records: the elements, field changes, and the hand-over.", no_args_is_help=True, add_completion=False
)

Encounter = Annotated[str, typer.Argument(metavar="ENCOUNTER", help="Id of the encounter, enc_….")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="Key of the element, as in `epcr elements`.")]
Author = Annotated[str, typer.Option("--author", help="Id of the crew member. Not a name.")]
Entry = Annotated[str | None, typer.Option("--entry", help="Id of the entry, in a group that has entries.")]
ChangeId = Annotated[
    str | None, typer.Option("--id", help="Id of the change. A repeated id is stored once. Default: a generated one.")
]
At = Annotated[str | None, typer.Option("--at", help="Time of the author's device, with an offset.")]
Replaces = Annotated[
    list[str] | None, typer.Option("--replaces", help="Id of a change that this one replaces. May be repeated.")
]


@epcr_app.command("elements")
def epcr_elements(
    context: typer.Context,
    as_json: AsJson = False,
    group: Annotated[str | None, typer.Option("--group", help="Limit to this group, such as vitals.")] = None,
) -> None:
    """List the elements of the care record: key, titles, values, NEMSIS element, FHIR target."""
    with refusing():
        from gateway.cli.epcr import list_elements

        list_elements(group, as_json=as_json)


@epcr_app.command("set")
def epcr_set(
    context: typer.Context,
    encounter: Encounter,
    key: Key,
    author: Author,
    value: Annotated[str | None, typer.Argument(metavar="[VALUE]", help="The value.")] = None,
    entry: Entry = None,
    negative: Annotated[str | None, typer.Option("--negative", help="Pertinent negative, such as refused.")] = None,
    not_recorded: Annotated[
        str | None, typer.Option("--not-recorded", help="Reason for a missing value, such as not_applicable.")
    ] = None,
    replaces: Replaces = None,
    change_id: ChangeId = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Set an element of a care record, or add a value to an element with many values."""
    with refusing():
        from gateway.cli.epcr import append

        change = {"key": key, "value": value, "negative": negative, "not_recorded": not_recorded, "entry": entry}
        append(config_of(context), encounter, author, change, replaces, change_id, at, as_json=as_json)


@epcr_app.command("remove")
def epcr_remove(
    context: typer.Context,
    encounter: Encounter,
    key: Key,
    author: Author,
    value: Annotated[
        str | None, typer.Argument(metavar="[VALUE]", help="The value to withdraw, of an element with many values.")
    ] = None,
    entry: Entry = None,
    replaces: Replaces = None,
    change_id: ChangeId = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw the content of an element. The log of the record keeps it."""
    with refusing():
        from gateway.cli.epcr import append

        change = {"action": "remove", "key": key, "value": value, "entry": entry}
        append(config_of(context), encounter, author, change, replaces, change_id, at, as_json=as_json)


@epcr_app.command("void")
def epcr_void(
    context: typer.Context,
    encounter: Encounter,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="Group of the entry, such as medications.")],
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="Id of the entry.")],
    author: Author,
    reason: Annotated[str, typer.Option("--reason", help="Why the entry is wrong.")],
    change_id: ChangeId = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Declare an entry void, such as a dose that was not given. The log of the record keeps it."""
    with refusing():
        from gateway.cli.epcr import append

        change = {"action": "void", "key": group, "value": reason, "entry": entry}
        append(config_of(context), encounter, author, change, None, change_id, at, as_json=as_json)


@epcr_app.command("handover")
def epcr_handover(
    context: typer.Context,
    encounter: Encounter,
    pdf: Annotated[
        Path | None, typer.Option("--pdf", help="Write the hand-over as PDF (PDF/A-2U) to this file.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option("--bundle", help="Write the FHIR R4 bundle to this file.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the accessible page to this file.")] = None,
    language: Annotated[Language, typer.Option("--language", help="Language of the texts.")] = Language.ENGLISH,
    order: Annotated[Order, typer.Option("--order", help="Order of the items.")] = Order.IMIST_AMBO,
) -> None:
    """Write the hand-over of a patient to files, also without tablet, network or running gateway.

    The files have the patient's identity. Only their owner may read them.
    """
    with refusing():
        from gateway.cli.handover import write_handover

        write_handover(config_of(context), encounter, language=language, order=order, pdf=pdf, bundle=bundle, html=html)
