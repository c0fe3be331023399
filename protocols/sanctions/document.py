"""Read the records of a large foreign XML document as a hostile one, in one pass.

The parser is expat, since it reads in pieces and knows the line of each element. A document with a DTD is refused where
the DTD begins, so that no entity is ever declared; nothing outside of the document is read. Only one record is in
memory. The limits hold while the document is read, and reading is linear in the size.

lxml, which reads NEMSIS documents, has wrong lines after line 65,535, and its `iterparse` keeps what it has read unless
each element is removed. defusedxml would only add the refusal of a DTD to expat, which is one handler here.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from protocols.sanctions.entry import DocumentRefused

DOCUMENT_BYTES_MAX = 256 << 20
"""Largest document. The published lists have 2 to 30 MB."""
DEPTH_MAX = 24
"""Deepest nesting. The formats nest six elements."""
ELEMENTS_MAX = 50_000
"""Most elements of a record, and of the document outside of records. The largest published record has about 2,000."""
RECORD_CHARACTERS_MAX = 1 << 20
"""Most characters of the texts and attributes of a record. The largest published record has about 60,000."""
TOKEN_BYTES_MAX = 1 << 20
"""Bytes that one tag may have. Some versions of expat read an unfinished tag again with each piece."""
PIECE_BYTES_MAX = 1 << 16
"""Bytes that the parser receives at once."""


@dataclass(slots=True)
class Node:
    """An element. Names have no namespace. `line` is the line on which it begins."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def all(self, *path: str) -> Iterator["Node"]:
        """Yield the descendants on this path of names."""
        for child in self.children:
            if child.name == path[0]:
                if len(path) == 1:
                    yield child
                else:
                    yield from child.all(*path[1:])

    def texts(self, *path: str) -> Iterator[str]:
        """Yield the texts of the descendants on this path of names."""
        return (node.text for node in self.all(*path))

    def first(self, *path: str) -> str:
        """Return the text of the first descendant on this path of names; an empty text if there is none."""
        return next(self.texts(*path), "")


def read_records(pieces: Iterable[bytes], root: str, records: Collection[str]) -> Iterator[Node]:
    """Yield the root element, without its children, when it begins, and then each element whose name is in `records`.
    Raises `DocumentRefused`, also if the root has another name."""
    reader = _Reader(root, frozenset(records))
    for piece in pieces:
        for begin in range(0, len(piece), PIECE_BYTES_MAX):
            reader.feed(piece[begin : begin + PIECE_BYTES_MAX])
            yield from reader.take()
    reader.end()
    yield from reader.take()


class _Reader:
    """Handlers of the parser: build the open record and check the limits."""

    def __init__(self, root: str, records: frozenset[str]) -> None:
        self._root, self._records = root, records
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data
        self._fed = 0
        self._depth = 0
        self._outside = 0
        self._open: list[tuple[Node, list[str]]] = []
        self._elements = self._characters = 0
        self._done: list[Node] = []

    def feed(self, piece: bytes) -> None:
        self._fed += len(piece)
        if self._fed > DOCUMENT_BYTES_MAX:
            raise self._refused(f"has more than {DOCUMENT_BYTES_MAX} bytes")
        self._parse(piece)
        if self._fed - max(self._parser.CurrentByteIndex, 0) > TOKEN_BYTES_MAX + PIECE_BYTES_MAX:
            raise self._refused(f"has a tag or a comment of more than {TOKEN_BYTES_MAX} bytes")

    def end(self) -> None:
        self._parse(b"", True)

    def take(self) -> list[Node]:
        done, self._done = self._done, []
        return done

    def _parse(self, piece: bytes, is_final: bool = False) -> None:
        try:
            self._parser.Parse(piece, is_final)
        except expat.ExpatError:
            raise self._refused("is not well-formed XML") from None
        except (LookupError, ValueError):
            raise self._refused("has an unknown encoding") from None

    def _refused(self, fault: str) -> DocumentRefused:
        return DocumentRefused(f"The document {fault} (line {self._parser.CurrentLineNumber}).")

    def _doctype(self, name: str, system_id: str | None, public_id: str | None, has_subset: bool) -> NoReturn:
        raise self._refused("has a DTD, which is not permitted; remove the DOCTYPE declaration")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._refused(f"nests more than {DEPTH_MAX} elements")
        name = tag.rpartition(" ")[2]
        node = Node(name, {key.rpartition(" ")[2]: value for key, value in attributes.items()}, self._line)
        if self._depth == 1:
            if name != self._root:
                raise self._refused(f"is of another format: its root is not {self._root}")
            self._done.append(node)
        elif self._open:
            self._elements += 1
            self._count(sum(len(key) + len(value) for key, value in attributes.items()))
            self._open[-1][0].children.append(node)
            self._open.append((node, []))
        elif name in self._records:
            self._elements = self._characters = 0
            self._open.append((node, []))
        else:
            self._outside += 1
        if max(self._elements, self._outside) > ELEMENTS_MAX:
            raise self._refused(f"has more than {ELEMENTS_MAX} elements in one record or outside of records")

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._open:
            node, texts = self._open.pop()
            node.text = "".join(texts).strip()
            if not self._open:
                self._done.append(node)

    def _data(self, text: str) -> None:
        if self._open:
            self._count(len(text))
            self._open[-1][1].append(text)

    def _count(self, characters: int) -> None:
        self._characters += characters
        if self._characters > RECORD_CHARACTERS_MAX:
            raise self._refused(f"has a record of more than {RECORD_CHARACTERS_MAX} characters")

    @property
    def _line(self) -> int:
        return self._parser.CurrentLineNumber
