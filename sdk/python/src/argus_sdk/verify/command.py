"""The command line of `argus-verify`.

It uses the parser of the standard library, so that the SDK needs no package for a command line.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence

from argus_sdk.errors import EvidenceUnusable
from argus_sdk.evidence import PublishedKeys, verify_provenance_local
from argus_sdk.verify import files
from argus_sdk.verify.files import FileUnusable, content_hash, load_keys, load_text
from argus_sdk.verify.report import Finding, as_json, as_text

EXIT_CODES = {"intact": 0, "broken": 1, "unverifiable": 3}
EXIT_UNUSABLE = 2
CONTENTS_MAX = 1_000

_DESCRIPTION = """Check that a transcript of evidence is as it was signed.

Uses no network. Exit code 0: intact. 1: not intact. 2: a file or an option cannot be used, or the check could not be
completed. 3: not verified, since no key of its algorithm was given, or its key was withdrawn."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="argus-verify",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("file", help="Transcript in JSON or JSON-LD; - reads standard input.")
    made.add_argument(
        "--keys", help="File with the cloud's published keys, from /.well-known/provenance-keys/ml-dsa-65."
    )
    made.add_argument("--evidence", help="Evidence that the transcript must be of.")
    made.add_argument("--tenant", help="Tenant that the transcript must be of.")
    made.add_argument(
        "--content",
        action="append",
        default=[],
        metavar="RECORD=FILE",
        help="Compare a file with the content after this record. May be repeated.",
    )
    made.add_argument("--json", dest="as_json", action="store_true", help="Print the result as JSON.")
    return made


def run(words: Sequence[str] | None = None) -> int:
    """Run the program with these words, None for those of the process; return its exit code."""
    given = parser().parse_args(words)
    try:
        found = _check(given.file, given.keys, given.evidence, given.tenant, given.content)
    except FileUnusable as error:
        print(f"argus-verify: {error}", file=sys.stderr)  # noqa: T201  the output of a program
        return EXIT_UNUSABLE
    lines = [json.dumps(as_json(found), indent=2)] if given.as_json else as_text(found)
    print("\n".join(lines))  # noqa: T201  the output of a program
    return EXIT_CODES[found.outcome]


def _check(file: str, keys: str | None, evidence: str | None, tenant: str | None, contents: Sequence[str]) -> Finding:
    text, given = load_text(file, files.FILE_BYTES_MAX)
    known, keys_file = (PublishedKeys({}), None) if keys is None else load_keys(keys)
    try:
        hashes = _content_hashes(contents) if contents else None
        result = verify_provenance_local(text, known, evidence_id=evidence, tenant_id=tenant, content_hashes=hashes)
    except EvidenceUnusable as error:
        is_of_file = error.code == "transcript_malformed"
        raise FileUnusable(f"{given.name}: {error.detail}" if is_of_file else error.detail) from None
    return Finding(result=result, file=given, keys_file=keys_file)


def _content_hashes(contents: Sequence[str]) -> dict[str, str]:
    """Return record → hash of its content. Raises `FileUnusable`."""
    if len(contents) > CONTENTS_MAX:
        raise FileUnusable(f"At most {CONTENTS_MAX} contents can be compared at once.")
    hashes = {}
    for text in contents:
        record_id, equals, path = text.partition("=")
        if not equals:
            raise FileUnusable(f"--content {text} has no =. Write --content RECORD=FILE.")
        hashes[record_id] = content_hash(path)
    return hashes


def main() -> None:
    """Run the program. An exit code of 1 states that a transcript is not intact, so nothing else may end with it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Unicode
    try:
        code = run()
        sys.stdout.flush()
    except Exception as error:
        print(f"argus-verify: The check could not be completed: {error!r}", file=sys.stderr)  # noqa: T201
        code = EXIT_UNUSABLE
        # What is left in the buffer cannot be written, and Python would try it again and set its own exit code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
