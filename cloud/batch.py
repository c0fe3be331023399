"""`argus-cloud batch`: many commands in one process, for whoever sets up a fleet.

A fleet of fifty vehicles is some hundred commands, each of which would start an interpreter. A file of them, a
command a line as it would be typed after `argus-cloud`, runs in one, in order. It stops at the first that cannot
be done and names its line; what came before stands, since every command is a transaction of its own.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

LINES_MAX = 10_000
FILE_OCTETS_MAX = 4_194_304


def run_batch(file: Path, run: Callable[[Sequence[str]], int]) -> None:
    """Runs each command with `run`, which returns its exit code; raises `typer.Exit` after a sentence."""
    for number, line in enumerate(_lines(file), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise _refused(f"{file}, line {number}: {str(error).lower()}") from None
        if words[:1] == ["batch"]:
            raise _refused(f"{file}, line {number}: a batch cannot hold a batch")
        if words and run(words) != 0:
            raise _refused(f"{file}, line {number}: stopped here; the lines before it are done")


def _lines(file: Path) -> list[str]:
    try:
        octets = file.read_bytes()
        lines = octets.decode().splitlines()
    except OSError as error:
        raise _refused(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _refused(f"{file} is not UTF-8 text") from None
    if len(octets) > FILE_OCTETS_MAX or len(lines) > LINES_MAX:
        raise _refused(f"{file} has more than {LINES_MAX} lines or {FILE_OCTETS_MAX} octets: split it")
    return lines


def _refused(sentence: str) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(1)
