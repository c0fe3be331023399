"""Read a foreign XML document as a hostile one.

A document with a DTD is refused where the DTD begins, so that no entity is ever declared; nothing outside of the
document is read. The size is limited before the first byte is parsed, and the number of elements and their depth while
they are parsed. Parsing is linear in the size.
"""

from dataclasses import dataclass, field
from typing import NoReturn

from lxml import etree

from protocols.errors import RemoteProtocolError
from protocols.nemsis.writer import NAMESPACE, XSI

DOCUMENT_BYTES_MAX = 16 << 20
"""Largest document. A report has 20 to 80 kB; pictures of waveforms and documents may add some megabytes."""
ELEMENTS_MAX = 100_000
"""Most elements of a document: about 200 reports. The largest published report has about 1,000."""
DEPTH_MAX = 16
"""Deepest nesting. NEMSIS nests nine elements."""
_HOME = f"{{{NAMESPACE}}}"
_NIL = f"{{{XSI}}}nil"


class DocumentRefused(RemoteProtocolError):
    """The document cannot be read. The text has the reason and never repeats the document."""


@dataclass(slots=True)
class Node:
    """An element of a document. `name` has no namespace; elements of other namespaces keep theirs in braces. `is_nil`:
    the document declares the element as empty."""

    name: str
    attributes: dict[str, str]
    is_nil: bool
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def find(self, name: str) -> "Node | None":
        """Return the first child with this name, or None."""
        return next((child for child in self.children if child.name == name), None)


def read_document(data: bytes) -> Node:
    """Return the root of a document. Raises `DocumentRefused`."""
    if len(data) > DOCUMENT_BYTES_MAX:
        raise DocumentRefused(f"The document has more than {DOCUMENT_BYTES_MAX} bytes.")
    builder = _Builder()
    parser = etree.XMLParser(
        target=builder,
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno
        raise DocumentRefused(f"The document is not well-formed XML{f' in line {line}' if line else ''}.") from None
    assert isinstance(root, Node), "a parser that ends without an error has closed the root"
    return root


class _Builder:
    """Target of the parser: builds the nodes and checks the limits."""

    def __init__(self) -> None:
        self._open: list[Node] = []
        self._texts: list[list[str]] = []
        self._root: Node | None = None
        self._count = 0

    def doctype(self, name: str, public_id: str | None, system_url: str | None) -> NoReturn:
        raise DocumentRefused("The document has a DTD, which is not permitted. Remove the DOCTYPE declaration.")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > ELEMENTS_MAX:
            raise DocumentRefused(f"The document has more than {ELEMENTS_MAX} elements.")
        if len(self._open) >= DEPTH_MAX:
            raise DocumentRefused(f"The document nests more than {DEPTH_MAX} elements.")
        found = dict(attributes)
        node = Node(tag.removeprefix(_HOME), found, found.pop(_NIL, "").strip() in ("true", "1"))
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._root = node
        self._open.append(node)
        self._texts.append([])

    def data(self, text: str) -> None:
        self._texts[-1].append(text)

    def end(self, tag: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def close(self) -> Node | None:
        return self._root
