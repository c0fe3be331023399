"""The files of the project, their statements, and their number of lines of code."""

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@cache
def project_files() -> tuple[Path, ...]:
    """Return the files that git tracks, and the untracked files that it does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return tuple(sorted(ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()))


GENERATED = (ROOT / "sdk" / "python" / "src" / "argus_sdk" / "types.py",)
"""Files that a generator writes. They are not edited, and a test compares them with what the generator writes."""


def python_files() -> tuple[Path, ...]:
    """Return the Python files that people write."""
    return tuple(path for path in project_files() if path.suffix == ".py" and path not in GENERATED)


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the tree and all its statements, handlers and cases at any depth, but no expressions, which are nine tenths
    of its nodes."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                pending += inner


def code_lines(text: str) -> int:
    """Return the number of lines that hold code: no blank line, comment or docstring."""
    return len(numbers_of_code_lines(text))


def numbers_of_code_lines(text: str) -> set[int]:
    lines: set[int] = set()
    at_statement_start = True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _NOT_CODE:
            at_statement_start = at_statement_start or token.type in (
                tokenize.NEWLINE,
                tokenize.INDENT,
                tokenize.DEDENT,
            )
            continue
        # A string that begins a statement is a docstring.
        if not (token.type == tokenize.STRING and at_statement_start):
            lines.update(range(token.start[0], token.end[0] + 1))
        at_statement_start = False
    return lines
