"""The API catalogue: a link set (RFC 9264) at the well-known address of RFC 9727, from which a tool finds the rest.

The first object of the link set has the members of the contract's sample. The second one adds what RFC 9727 section 3.1
requires: an `item` link to each endpoint. Its anchor is the catalogue itself.

The contract's sample gives `rel` as an attribute of the verify-key link, as a text. RFC 9264 section 4.2.4.3 permits
extension attributes only as arrays of texts, so the setting `strict_link_relations` writes an array. In both forms the
same link is also given with an extension relation, which strict readers find (contract matrix A-134).
"""

from typing import Any

from cloud.foundation.http import Bases, Host

PATH = "/.well-known/api-catalog"
PROFILE = "https://www.rfc-editor.org/info/rfc9727"
MEDIA_TYPE = f'application/linkset+json; profile="{PROFILE}"'
VERIFY_KEYS = "provenance-verify-keys"


def catalogue_link(bases: Bases) -> str:
    """Return the Link header that the response to a HEAD request should have (RFC 9727 section 2)."""
    return f'<{bases[Host.API]}{PATH}>; rel="api-catalog"'


def link_set(bases: Bases, *, strict: bool) -> dict[str, Any]:
    """Return the link set. `strict`: the attribute `rel` is an array, as RFC 9264 requires, instead of the contract's
    text."""
    api, docs = bases[Host.API], bases[Host.DOCS]
    keys = {"href": f"{api}/.well-known/provenance-keys/ml-dsa-65", "type": "application/json"}
    described = {
        "anchor": f"{api}/",
        "service-desc": [
            {"href": f"{api}/.well-known/openapi.json", "type": "application/json"},
            {"href": f"{api}/.well-known/openapi.yaml", "type": "application/yaml"},
        ],
        "service-doc": [{"href": f"{docs}/en/docs/api-reference", "type": "text/html"}],
        "service-meta": [{**keys, "rel": [VERIFY_KEYS] if strict else VERIFY_KEYS}],
        f"{api}/rels/{VERIFY_KEYS}": [keys],
    }
    endpoints = (f"{api}/graphql", f"{api}/v1", f"{api}/api/v1", f"{bases[Host.AUTH]}/v1", bases[Host.SANDBOX] + "/")
    return {"linkset": [described, {"anchor": f"{api}{PATH}", "item": [{"href": href} for href in endpoints]}]}
