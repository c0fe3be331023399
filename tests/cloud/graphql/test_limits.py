"""Documents that would cost much work are refused before they are compared with a bundle or executed."""

import time

import pytest

from cloud.foundation.http import Policy
from cloud.partners.graphql import approval
from cloud.partners.graphql.document import read_document
from cloud.partners.graphql.errors import DocumentTooComplex, DocumentUnreadable
from tests.builders.api_surface import Api
from tests.builders.graphql_bundles import ENCOUNTER, TYPE_NAME, code_of, send

CPU_S_MAX = 0.05
"""The issue's limit of the CPU time of a refused attack."""


def chain(count: int) -> str:
    """Return fragments of which each uses the next one twice."""
    links = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(count))
    return f"{{ ...F0 }} {links} fragment F{count} on Query {{ a }}"


ATTACKS = {
    "aliases": "{" + " ".join(f"a{n}: __typename" for n in range(600)) + "}",
    "depth": "{a" * 30_000 + "}" * 30_000,
    "depth below the parser's limit": "{a" * 150 + "}" * 150,
    "depth of thirteen": "{a" * 13 + "}" * 13,
    "depth through fragments": "{ ...F } fragment F on Q { b { ...G } } fragment G on Q " + "{a" * 12 + "}" * 12,
    "fragments": "{ a }" + "".join(f" fragment F{n} on Q {{ a }}" for n in range(2_000)),
    "circle": "{ ...A } fragment A on Q { ...B } fragment B on Q { ...A }",
    "own circle": "{ ...A } fragment A on Q { a { ...A } }",
    "doubling fragments": chain(20),
    "long chain": chain(100),
    "repeated fields": "{" + "a " * 10_000 + "}",
    "directives": "{ a " + "@skip(if: false) " * 3_000 + "}",
    "lists": "{ a(b: " + "[" * 5_000 + "]" * 5_000 + ") }",
    "comments": "#\n" * 30_000 + "{ a }",
}


@pytest.mark.contract("S-114", "A-092")
@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused_with_little_work(name: str) -> None:
    read_document("{ warm }")
    costs = []
    for _ in range(3):  # the least of three: another process may take the core's cache
        began_s = time.process_time()
        with pytest.raises(DocumentTooComplex):
            read_document(ATTACKS[name])
        costs.append(time.process_time() - began_s)
    assert min(costs) < CPU_S_MAX


@pytest.mark.contract("S-114")
async def test_attack_is_refused_over_http(here: Api) -> None:
    assert code_of(await send(here, ATTACKS["aliases"])) == (400, "DOCUMENT_TOO_COMPLEX")
    assert (await send(here, "{ a }" + " " * (5 << 20))).status_code == 413


@pytest.mark.contract("A-092")
async def test_app_that_sends_many_unknown_documents_is_refused_before_they_are_parsed(
    here: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "NEW_TEXTS", Policy("graphql-texts", 2))
    assert (await send(here, f"{TYPE_NAME} # in another form")).status_code == 200
    assert code_of(await send(here, "{ other }")) == (200, "OPERATION_NOT_APPROVED")
    refused = await send(here, "{ cannot be parsed")
    assert code_of(refused) == (429, "RATE_LIMITED")
    assert int(refused.headers["Retry-After"]) == 30
    for approved in (TYPE_NAME, ENCOUNTER, f"{TYPE_NAME} # in another form"):
        assert (await send(here, approved, {"id": "enc_north"} if approved is ENCOUNTER else None)).status_code == 200
    assert code_of(await send(here, "{ other }", who="south")) == (200, "OPERATION_NOT_APPROVED")
    here.clock.advance(us=30_000_000)
    assert code_of(await send(here, "{ cannot be parsed")) == (400, "GRAPHQL_PARSE_FAILED")


def test_document_at_the_limits_is_read() -> None:
    read_document("{a" * 12 + "}" * 12)
    read_document("{" + " ".join(f"a{n}: a" for n in range(30)) + "}")
    read_document("{" + "a " * 1_997 + "}")


@pytest.mark.parametrize("text", ["", "{", "{ a(b: $) }", "query { a } }", '{ a(b: "x) }'])
def test_syntax_error_names_its_place_alone(text: str) -> None:
    with pytest.raises(DocumentUnreadable) as refused:
        read_document(text)
    assert refused.value.detail.startswith("(Line ")


@pytest.mark.contract("S-111", "A-088")
def test_order_of_arguments_has_no_meaning() -> None:
    one, other = "{ f(a: 1, b: {x: 1, y: 2}) { g(c: 1, d: 2) } }", "{ f(b: {y: 2, x: 1}, a: 1) { g(d: 2, c: 1) } }"
    assert read_document(one).digest == read_document(other).digest
    assert read_document(one).digest != read_document(one.replace("1", "3")).digest
