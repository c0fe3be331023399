"""The command line of `argus-verify`."""

import json
from typing import Annotated

import typer

from protocols.provenance.verification import verify
from sdk.verify.files import FileUnusable, PublishedKeys, content_hash, load_keys, load_transcript
from sdk.verify.report import Finding, as_json, as_text

EXIT_CODES = {"intact": 0, "broken": 1, "unverifiable": 3}
EXIT_UNUSABLE = 2
CONTENTS_MAX = 1_000

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def check(
    file: Annotated[str, typer.Argument(help="Transcript in JSON or JSON-LD; - reads standard input.")],
    keys: Annotated[
        str | None,
        typer.Option(help="File with the cloud's published keys, from /.well-known/provenance-keys/ml-dsa-65."),
    ] = None,
    evidence: Annotated[str | None, typer.Option(help="Evidence that the transcript must be of.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Tenant that the transcript must be of.")] = None,
    content: Annotated[
        list[str] | None,
        typer.Option(help="RECORD=FILE: compare a file with the content after this record. May be repeated."),
    ] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check that a transcript of evidence is as it was signed.

    Uses no network. Exit code 0: intact. 1: not intact. 2: a file cannot be used. 3: not verified,
    since no key of its algorithm was given, or its key was withdrawn.
    """
    try:
        found = _check(file, keys, evidence, tenant, content or [])
    except FileUnusable as error:
        typer.echo(f"argus-verify: {error}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from None
    if as_json_:
        typer.echo(json.dumps(as_json(found), indent=2))
    else:
        typer.echo("\n".join(as_text(found)))
    raise typer.Exit(EXIT_CODES[found.outcome])


def _check(file: str, keys: str | None, evidence: str | None, tenant: str | None, contents: list[str]) -> Finding:
    transcript, graph_matches, given = load_transcript(file)
    known, keys_file = (PublishedKeys({}), None) if keys is None else load_keys(keys)
    hashes = _content_hashes(contents, {record.id for record in transcript.records})
    verdict = verify(
        transcript,
        known,
        tenant_id=tenant,
        evidence_id=evidence,
        content_hashes=hashes or None,
    )
    return Finding(
        transcript=transcript,
        verdict=verdict,
        graph_matches=graph_matches,
        has_key=known.has_any(transcript.root_algorithm),
        file=given,
        keys_file=keys_file,
    )


def _content_hashes(contents: list[str], record_ids: set[str]) -> dict[str, str]:
    """Return record → hash of its content. Raises `FileUnusable` for a record that the transcript does not have."""
    if len(contents) > CONTENTS_MAX:
        raise FileUnusable(f"At most {CONTENTS_MAX} contents can be compared at once.")
    hashes = {}
    for text in contents:
        record_id, equals, path = text.partition("=")
        if not equals:
            raise FileUnusable(f"--content {text} has no =. Write --content RECORD=FILE.")
        if record_id not in record_ids:
            raise FileUnusable(f"The transcript has no record {record_id}.")
        hashes[record_id] = content_hash(path)
    return hashes


def main() -> None:
    """Run the program."""
    app()
