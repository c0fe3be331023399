"""`argus-cloud batch`: run the commands of a file in one process, to set up a fleet.

Fifty vehicles need some hundred commands, and a process for each would start the interpreter a hundred times. Each line
is one command as typed after `argus-cloud`, and one transaction. The first error stops the batch and names its line;
earlier commands remain done.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

LINES_MAX = 10_000
FILE_BYTES_MAX = 4_194_304


def run_batch(file: Path, run: Callable[[Sequence[str]], int]) -> None:
    """Pass each line of the file, split into words, to `run`, until `run` returns an exit code other than 0. Raises
    `typer.Exit` after printing the error."""
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
        content = file.read_bytes()
        lines = content.decode().splitlines()
    except OSError as error:
        raise _refused(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _refused(f"{file} is not UTF-8 text") from None
    if len(content) > FILE_BYTES_MAX or len(lines) > LINES_MAX:
        raise _refused(f"{file} has more than {LINES_MAX} lines or {FILE_BYTES_MAX} bytes: split it")
    return lines


def _refused(sentence: str) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(1)
