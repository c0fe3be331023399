"""The word list of plain technical English, and the texts that it is applied to.

Readers are engineers, integrators and crews, so a text uses the field's own words: report, request, response, byte, the
caller. `WORDS` has the words that these replace. Public text may contain none of them. In names, docstrings and
comments they are counted, and the counts may only fall (`RATCHETS` in the test).

Public text is what people outside the project read: the OpenAPI document, the kinds of problems, the help of the three
programs, the output and errors of `argus-gateway` (every string in the code of `gateway/`), README, the guides in
`docs/`, the Unreleased part of the changelog, the pages' templates and their word files (English). Not included:
`docs/deviations.md`, a record for maintainers that names the contract's numbers; the tables of `docs/device-maker.md`
between `<!-- table` and `<!-- end`, which are generated from docstrings that are counted; code blocks, `code` and
*labels* of pages; the crew page, whose texts are rewritten in an issue of their own.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.tidy.sources import ROOT, python_files, statements

WORDS = re.compile(
    r"""\b(
      told | tells? | telling | untold
    | says? | said | saying
    | hears?\ of | heard\ of
    | asks? | asked | asking
    | answers? | answered | answering
    | octets?
    | somebody | nobody | whoever | everybody | strangers?
    | anew | once\ more | take\ anew
    | helpings? | portions?
    | waiting | on\ its\ way | gone | brought\ away
    | old | no\ longer\ good | not\ yours
    | way\ to\ the\ database
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)

ALLOWED = re.compile(
    r"""
      `[^`]*`                            # code: names of fields, codes and commands are contracts
    | octet-?string | application/octet-stream
    | waiting\ for\ config               # a state of 20601
    | \bGone\b(?=\ \(410\))              # the reason phrase of 410
    """,
    re.VERBOSE,
)
"""Code, and names in the standards, which keep their words."""

CONTRACT_NUMBER = re.compile(r"\b[ACS]-\d{3}\b")
"""Numbers of requirements in the API contract, which have no meaning for outside readers."""

FRAGMENT = re.compile(r"(Of|What|Who|Whose|Whom|How|Where|When|Whether|Why|As|Also|Only|That|Which)\b")
"""Beginnings of docstrings that are not a sentence, a noun phrase or an instruction."""

_SNAKE = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_CODE = re.compile(
    r"^```.*?^```|`[^`]*`|(?<!\*)\*[^*\n]+\*(?!\*)|\]\([^)]*\)|<!-- table.*?<!-- end -->", re.DOTALL | re.MULTILINE
)


def faults(text: str) -> list[str]:
    """Return the words of the text that are on the list and not in allowed expressions."""
    return [found[0] for found in WORDS.finditer(ALLOWED.sub(" ", text))]


def faults_of_markdown(path: Path) -> list[str]:
    """Return the words of a document's prose that are on the list, each as "file:line: word"."""
    text = _CODE.sub(lambda code: "\n" * code[0].count("\n"), path.read_text())
    lines = enumerate(text.splitlines(), 1)
    return [f"{path.relative_to(ROOT)}:{number}: {word}" for number, line in lines for word in faults(line)]


@cache
def docstrings() -> tuple[str, ...]:
    """Return every docstring of the tree, and every string that documents the assignment before it."""
    return tuple(text for path in python_files() for text in _docstrings_of(ast.parse(path.read_text())))


def _docstrings_of(tree: ast.Module) -> Iterator[str]:
    for statement in statements(tree):
        match statement:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text


def messages(folder: str, fields: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield (place, string) for each string in the code of a folder, except docstrings and strings that are one of the
    names in `fields`."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text())
        described = set(_docstrings_of(tree))
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if text not in fields and text not in described:
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", text


def comments_with_faults() -> Iterator[str]:
    """Yield the comments of each file in which a `#` is before a word of the list on its line."""
    for path in python_files():
        text = path.read_text()
        if not any("#" in line and WORDS.search(line.partition("#")[2]) for line in text.splitlines()):
            continue  # splitting a file into tokens takes 50 times as long
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.string


def names() -> Iterator[str]:
    """Yield the name of each class and function in the product, split into lower-case words."""
    for path in python_files():
        if path.relative_to(ROOT).parts[0] == "tests":
            continue
        for node in statements(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield " ".join(_SNAKE.findall(node.name)).lower()
