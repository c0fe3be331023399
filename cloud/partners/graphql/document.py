"""Read the text of a GraphQL document with bounded work, and compute the digest by which it is approved.

Two texts are the same document if they differ only in white space, comments, commas, and the order of arguments and of
the fields of input objects (contract matrix A-088, S-111). The limits apply before a document is compared with the
bundles and when a bundle is registered (A-092). Parsing, comparing and printing
2 000 tokens takes about 25 ms.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Visitor,
    parse,
    print_ast,
    visit,
)
from graphql.language import ArgumentNode

from cloud.partners.graphql.errors import DocumentTooComplex, DocumentUnreadable

DOCUMENT_BYTES_MAX = 64 * 1024
TOKENS_MAX = 2_000
DEPTH_MAX = 12
"""Levels of fields, counted through fragments."""
ALIASES_MAX = 30
FIELDS_MAX = 2_000
"""Fields after each fragment is inserted where it is used: short fragments that use each other twice would grow to
millions of fields."""
LEVELS_MAX = 64
"""Levels of selections, of fields and fragments together, so that no recursion is deep."""
COMMENTS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document in its normal form. `digest` is the SHA-256 of `text` in hexadecimal digits."""

    node: DocumentNode
    text: str
    digest: str


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal digits."""
    return sha256(text.encode()).hexdigest()


def read_document(text: str) -> Document:
    """Parse a document and return it in its normal form. Raises `DocumentUnreadable`, `DocumentTooComplex`, which
    quote nothing of the text."""
    if len(text) > DOCUMENT_BYTES_MAX:
        raise DocumentTooComplex(f"(At most {DOCUMENT_BYTES_MAX} characters.)")
    try:
        node = parse(text, no_location=True, max_lexical_tokens=TOKENS_MAX, max_comments=COMMENTS_MAX)
    except GraphQLSyntaxError as error:
        if "Parsing aborted" in error.message:  # the parser's words for a limit, also for its limit of nesting
            raise DocumentTooComplex(
                f"(At most {TOKENS_MAX} tokens and {COMMENTS_MAX} comments, few of them nested.)"
            ) from None
        place = error.locations[0] if error.locations else None
        raise DocumentUnreadable("" if place is None else f"(Line {place.line}, column {place.column}.)") from None
    _check_limits(node)
    normal: DocumentNode = visit(node, _Sorter())
    printed = print_ast(normal)
    return Document(normal, printed, digest_of(printed))


class _Sorter(Visitor):
    """Sorts arguments and the fields of input objects by name, whose order has no meaning in GraphQL."""

    @staticmethod
    def leave_field(node: FieldNode, *_rest: object) -> FieldNode | None:
        return _with_sorted_arguments(node)

    @staticmethod
    def leave_object_value(node: ObjectValueNode, *_rest: object) -> ObjectValueNode | None:
        ordered = tuple(sorted(node.fields, key=lambda field: field.name.value))
        return None if ordered == tuple(node.fields) else ObjectValueNode(fields=ordered)


def _with_sorted_arguments(node: FieldNode) -> FieldNode | None:
    """Return the field with its arguments in the order of their names; None if they have it already."""
    given = tuple(node.arguments or ())
    ordered: tuple[ArgumentNode, ...] = tuple(sorted(given, key=lambda argument: argument.name.value))
    if ordered == given:
        return None
    return FieldNode(
        alias=node.alias,
        name=node.name,
        arguments=ordered,
        directives=node.directives,
        selection_set=node.selection_set,
    )


def _check_limits(node: DocumentNode) -> None:
    fragments = {one.name.value: one for one in node.definitions if isinstance(one, FragmentDefinitionNode)}
    measures = _Measures(fragments)
    fields = 0
    for definition in node.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            measures.of_fragment(definition.name.value)
        elif isinstance(definition, OperationDefinitionNode):
            depth, count = measures.of_selections(definition.selection_set)
            fields += count
            if depth > DEPTH_MAX:
                raise DocumentTooComplex(f"(At most {DEPTH_MAX} levels of fields.)")
    if fields > FIELDS_MAX:
        raise DocumentTooComplex(f"(At most {FIELDS_MAX} fields.)")
    if measures.aliases > ALIASES_MAX:
        raise DocumentTooComplex(f"(At most {ALIASES_MAX} aliases.)")


class _Measures:
    """Computes depth and number of fields of selections. Each fragment is measured once, however often it is used."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._measured: dict[str, tuple[int, int]] = {}
        self._open: set[str] = set()
        self._level = 0
        self.aliases = 0

    def of_selections(self, selections: SelectionSetNode | None) -> tuple[int, int]:
        """Return the levels and the number of fields of a selection set."""
        depth = fields = 0
        self._level += 1
        if self._level > LEVELS_MAX:
            raise DocumentTooComplex(f"(At most {LEVELS_MAX} levels of selections.)")
        for node in _selected(selections):
            inner_depth, inner_fields = self._of_selection(node)
            depth, fields = max(depth, inner_depth), fields + inner_fields
        self._level -= 1
        return depth, fields

    def _of_selection(self, node: Node) -> tuple[int, int]:
        if isinstance(node, FragmentSpreadNode):
            return self.of_fragment(node.name.value)
        if isinstance(node, FieldNode):
            self.aliases += node.alias is not None
            depth, fields = self.of_selections(node.selection_set)
            return depth + 1, fields + 1
        assert isinstance(node, InlineFragmentNode)
        return self.of_selections(node.selection_set)

    def of_fragment(self, name: str) -> tuple[int, int]:
        """Return the measures of a fragment; of an unknown one, which validation refuses, nothing."""
        if name in self._measured or name not in self._fragments:
            return self._measured.get(name, (0, 0))
        if name in self._open:
            raise DocumentTooComplex("(A fragment contains itself.)")
        self._open.add(name)
        found = self._measured[name] = self.of_selections(self._fragments[name].selection_set)
        self._open.discard(name)
        return found


def _selected(selections: SelectionSetNode | None) -> Iterator[Node]:
    return iter(()) if selections is None else iter(selections.selections)
