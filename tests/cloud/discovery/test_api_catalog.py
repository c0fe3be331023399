"""The API catalogue has the members of the contract's sample, and is a valid link set (RFC 9264) of RFC 9727."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from cloud.partners.discovery.api_catalog import link_set
from cloud.surface import collect_rows
from tests.builders.contract_rows import PRODUCTION
from tests.builders.http_surface import BASES, KnownTokens, surface
from tests.builders.parts import make_parts
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN

SAMPLE = {
    "anchor": "https://api.knogin.com/",
    "service-desc": [
        {"href": "https://api.knogin.com/.well-known/openapi.json", "type": "application/json"},
        {"href": "https://api.knogin.com/.well-known/openapi.yaml", "type": "application/yaml"},
    ],
    "service-doc": [{"href": "https://knogin.com/en/docs/api-reference", "type": "text/html"}],
    "service-meta": [
        {
            "href": "https://api.knogin.com/.well-known/provenance-keys/ml-dsa-65",
            "type": "application/json",
            "rel": "provenance-verify-keys",
        }
    ],
}


def link_set_faults(document: dict[str, Any]) -> list[str]:
    """Return what RFC 9264 section 4.2 does not permit in a link set."""
    faults = [] if document.keys() == {"linkset"} else ["other members than linkset"]
    for context in document["linkset"]:
        anchor = context.get("anchor", "")
        faults += [] if urlsplit(anchor).scheme else [f"anchor {anchor!r} is relative"]
        for relation, targets in context.items():
            if relation == "anchor":
                continue
            if not (relation.replace("-", "").isalpha() or urlsplit(relation).scheme):
                faults.append(f"{relation} is neither a registered relation nor an address")
            for target in targets:
                known = {"type", "media", "title", "title*", "hreflang"}
                absolute = urlsplit(target.get("href", "")).scheme
                faults += [] if absolute else [f"{relation}: href is missing or relative"]
                faults += [
                    f"{relation}: {name} is not an array of texts"
                    for name, value in target.items()
                    if name not in known | {"href"} and not isinstance(value, list)
                ]
    return faults


@pytest.mark.contract("C-258", "C-259", "C-260", "C-261", "C-262", "A-134")
def test_first_object_of_the_catalogue_has_the_members_of_the_sample_and_an_extension_relation() -> None:
    first = link_set(PRODUCTION, strict=False)["linkset"][0]
    twin = first.pop("https://api.knogin.com/rels/provenance-verify-keys")
    assert first == SAMPLE
    assert twin == [{key: SAMPLE["service-meta"][0][key] for key in ("href", "type")}]  # type: ignore[index]


@pytest.mark.contract("A-133", "C-274")
def test_catalogue_has_an_item_link_to_each_endpoint_of_the_contract() -> None:
    items = link_set(PRODUCTION, strict=False)["linkset"][1]
    assert items["anchor"] == "https://api.knogin.com/.well-known/api-catalog"
    assert [link["href"] for link in items["item"]] == [
        "https://api.knogin.com/graphql",
        "https://api.knogin.com/v1",
        "https://api.knogin.com/api/v1",
        "https://auth.knogin.com/v1",
        "https://sandbox-api.knogin.com/",
    ]


@pytest.mark.contract("A-134")
def test_strict_catalogue_is_a_link_set_without_faults_and_the_sample_has_one() -> None:
    assert link_set_faults(link_set(PRODUCTION, strict=True)) == []
    assert link_set_faults(link_set(PRODUCTION, strict=False)) == ["service-meta: rel is not an array of texts"]


@pytest.mark.contract("C-258", "C-263", "A-134")
async def test_catalogue_is_served_as_a_link_set_with_the_profile_of_the_standard() -> None:
    parts = make_parts(bases=BASES)
    rows = [one for one in collect_rows(parts) if one.path == "/.well-known/api-catalog"]
    assert rows
    async with (
        surface(*rows, tokens=KnownTokens({})) as served,
        httpx.AsyncClient(
            base_url=served.url(""), headers={"Connection": "close"}, verify=PLAIN, timeout=WITHIN_S
        ) as client,
    ):
        found = await client.get("/.well-known/api-catalog")
    kind, _, parameter = found.headers["Content-Type"].partition("; ")
    assert (found.status_code, kind) == (200, "application/linkset+json")
    assert parameter == 'profile="https://www.rfc-editor.org/info/rfc9727"'
    assert link_set_faults(found.json()) == ["service-meta: rel is not an array of texts"]
