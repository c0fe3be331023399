"""The pages of the reference have what the OpenAPI document has, and no on-request area has a path on them."""

import html
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import httpx
import orjson
import pytest

from cloud.foundation.http import Host, NotFound, Route, catalogue, slug
from cloud.foundation.pages import Language, translate
from cloud.partners.docs.guides import GUIDES
from cloud.partners.docs.reference import Reference, read_reference
from cloud.partners.docs.site import DocsSite
from cloud.partners.docs.words import WORDS
from cloud.partners.graphql.schema import schema
from tests.builders.http_surface import surface
from tests.harness.eventually import WITHIN_S

LANGUAGES = list(Language)
ON_REQUEST = re.compile(r"/api/v1/platform|/v1/saml|/api/v1/identified|__schema|__type\b")
"""Paths of areas on request, and the introspection of the GraphQL schema, which no page may name."""


def text_of(page: bytes) -> str:
    """Return the text of a page, without its style, script and tags."""
    without = re.sub(r"<(style|script)>.*?</\1>", "", page.decode(), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", without))


@pytest.mark.contract("C-001", "C-008", "C-009", "C-010")
@pytest.mark.parametrize("language", LANGUAGES)
async def test_operation_page_has_each_fact_parameter_field_response_and_error(
    site: DocsSite, reference: Reference, language: Language
) -> None:
    missing: dict[str, list[str]] = {}
    say = partial(translate, WORDS, language)
    for one in reference.operations.values():
        shown = text_of((await site.page(language, "operation", one.id)).html)
        replies = [*one.replies, *one.errors]
        expected = [one.method, one.path, one.summary, *one.bases, *one.scopes, one.pointer]
        expected += [
            say(f"fact.{fact}") + say(f"{fact}.{value}")  # a term and its text
            for fact, value in (("auth", one.auth), ("audience", one.audience), ("stability", one.stability))
        ]
        expected += [parameter.name for parameter in one.parameters]
        expected += [field.name for field in (one.body.fields if one.body else ())]
        expected += [field.name for reply in replies if reply.status < "4" for field in reply.fields]
        expected += [reply.status for reply in replies if reply.status != "default"]
        expected += [code for reply in one.errors for code in reply.codes]
        absent = [word for word in expected if word not in shown]
        if absent:
            missing[one.id] = absent
    assert missing == {}


async def test_operation_page_links_each_error_code_to_the_page_of_its_problem_type(
    site: DocsSite, reference: Reference
) -> None:
    known = {kind.code for kind in catalogue()}
    without_codes = set()
    for one in reference.operations.values():
        page = (await site.page(Language.PL, "operation", one.id)).html.decode()
        codes = [code for reply in one.errors for code in reply.codes]
        without_codes |= set() if codes else {one.id}
        for code in codes:
            assert code in known
            address = f"https://api.example.org/problems/{slug(code)}?language=pl"
            assert f'<a href="{address}"><code>{code}</code></a>' in page, one.id
    assert without_codes == set()


@pytest.mark.contract("C-009", "C-010", "C-261")
async def test_reference_lists_every_operation_with_audience_and_stability_in_the_words_of_the_language(
    site: DocsSite, document: dict[str, Any], reference: Reference
) -> None:
    described = {
        one["operationId"] for item in document["paths"].values() for one in item.values() if "operationId" in one
    }
    assert reference.operations.keys() == described
    words = {
        Language.EN: ("External integrators", "Customer administrators", "Stable"),
        Language.PL: ("Zewnętrzni integratorzy", "Administratorzy klienta", "Stabilne"),
    }
    for language in LANGUAGES:
        page = (await site.page(language, "reference")).html.decode()
        for id in described:
            assert f'href="/{language.value}/docs/api-reference/{id}"' in page
        assert all(word in page for word in words[language])


@pytest.mark.contract("C-276", "C-283")
async def test_on_request_areas_are_described_without_paths_operations_and_schemas(
    site: DocsSite, document: dict[str, Any]
) -> None:
    areas = (await site.index())["on_request"]
    for one in (areas, document):
        assert not ON_REQUEST.search(orjson.dumps(one).decode())
    english, polish = [text_of((await site.page(language, "reference")).html) for language in LANGUAGES]
    assert "Platform control-plane APIs" in english
    assert "Federacja tożsamości i SAML" in polish
    stability = {one["title"]: one["stability"] for one in areas}
    assert stability.pop("Telephony provider configuration") == "stable"
    assert set(stability.values()) == {"approved-on-request"}


@pytest.mark.contract("C-099")
async def test_graphql_pages_describe_the_transport_and_no_operation_of_the_schema(site: DocsSite) -> None:
    for language in LANGUAGES:
        for kind, name in (("guide", "graphql"), ("operation", "executeGraphql")):
            shown = text_of((await site.page(language, kind, name)).html)
            assert not re.search(r"type Query|mutation", shown)
            assert "approved GraphQL document" in shown
        guide = text_of((await site.page(language, "guide", "graphql")).html)
        for word in ("Authorization: Bearer", "X-Tenant-ID", "application/graphql-response+json", "extensions.code"):
            assert word in guide


async def texts_of_documents(rows: Sequence[Route]) -> dict[str, str]:
    """Return the text of each page that has a form for programs at its address: the index, events and problem types."""
    lists = ("/api/docs", "/api/docs/events", "/problems")
    paths = [f"{path}?language={language.value}" for path in lists for language in LANGUAGES]
    # The texts in which these pages differ are in English in both languages.
    paths += [f"/problems/{slug(kind.code)}?language=en" for kind in catalogue()]
    served = [row for row in rows if row.path.startswith(("/api/docs", "/problems"))]
    async with (
        surface(*served) as running,
        httpx.AsyncClient(headers={"Accept": "text/html"}, trust_env=False, timeout=WITHIN_S) as client,
    ):
        found = [
            await client.get(running.url(path, Host.API if path.startswith("/problems") else Host.DOCS))
            for path in paths
        ]
    return {path: text_of(one.raise_for_status().content) for path, one in zip(paths, found, strict=True)}


@pytest.mark.contract("C-099", "C-276", "C-283")
async def test_no_page_names_a_path_of_an_on_request_area_or_a_field_of_the_graphql_schema(
    site: DocsSite, reference: Reference, published: tuple[Sequence[Route], bytes]
) -> None:
    roots = [kind for kind in (schema().query_type, schema().mutation_type) if kind is not None]
    # An encounter is also an object of the public contract.
    fields = {name for kind in roots for name in kind.fields} - {"encounter"}
    assert {"acqiMetrics", "telephonyRoutes"} <= fields
    named = re.compile("|".join(rf"\b{name}\b" for name in sorted(fields)))
    pages = [("home", ""), ("reference", "")]
    pages += [("guide", name) for name in GUIDES] + [("operation", id) for id in reference.operations]
    texts = await texts_of_documents(published[0])
    for language in LANGUAGES:
        for kind, name in pages:
            texts[f"{language} {kind} {name}"] = text_of((await site.page(language, kind, name)).html)
    for page, text in texts.items():
        assert (ON_REQUEST.findall(text), named.findall(text)) == ([], []), page


@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/v1/auth/jwks.json"])
def test_key_set_declares_the_304_that_it_sends(document: dict[str, Any], path: str) -> None:
    assert "304" in document["paths"][path]["get"]["responses"]


async def test_index_for_programs_points_to_each_operation_in_the_openapi_document(
    site: DocsSite, document: dict[str, Any]
) -> None:
    for one in (await site.index())["operations"]:
        address, _, pointer = one["openapi"].partition("#")
        assert address == "https://api.example.org/.well-known/openapi.json"
        found: Any = document
        for step in pointer.split("/")[1:]:
            found = found[step.replace("~1", "/").replace("~0", "~")]
        assert found["operationId"] == one["operation_id"]
        assert (found["x-audience"], found["x-stability"]) == (one["audience"], one["stability"])


@pytest.mark.parametrize(("kind", "name"), [("operation", "absent"), ("guide", "absent"), ("guide", "../words")])
async def test_unknown_page_is_not_found(site: DocsSite, kind: str, name: str) -> None:
    with pytest.raises(NotFound):
        await site.page(Language.EN, kind, name)


async def test_page_is_rendered_once(site: DocsSite) -> None:
    first = await site.page(Language.EN, "operation", "listDevices")
    assert await site.page(Language.EN, "operation", "listDevices") is first


def test_schema_that_contains_itself_is_listed_to_a_limited_depth() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    operation = {
        "operationId": "readNode",
        "tags": ["Nodes"],
        "summary": "Read a node",
        "x-audience": "external-integrators",
        "x-stability": "stable",
        "x-auth": "Public",
        "x-added-in": "v1",
        "security": [],
        "responses": {
            "200": {
                "description": "The node.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}},
            }
        },
    }
    reference = read_reference(
        {
            "info": {"title": "Nodes", "version": "1", "description": ""},
            "servers": [{"url": "https://api.example.org"}],
            "tags": [{"name": "Nodes", "description": ""}],
            "paths": {"/node": {"get": operation}},
            "components": {
                "schemas": {"Node": node},
                "securitySchemes": {
                    "oauth2": {"flows": {"clientCredentials": {"tokenUrl": "https://auth.example.org/v1/oauth/token"}}}
                },
            },
        }
    )
    names = [field.name for field in reference.operations["readNode"].replies[0].fields]
    assert names == ["next", "next.next", "next.next.next", "next.next.next.next"]
