"""Documents about the HTTP interface for programs: the OpenAPI contract, generated from the routes of all slices."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Scope, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.partners.discovery.contract import make_contract, write_contract
    from cloud.partners.discovery.handlers import DiscoveryHandlers
    from cloud.partners.discovery.openapi import RowsDisagree, contract_document, disagreements
    from cloud.partners.discovery.public_contract_filter import DENYLIST, is_denied, is_public
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    scopes=(
        Scope(
            "argus:discovery:read",
            "Read the data schemas of what the token can reach",
            "Odczyt schematów danych dostępnych dla tokenu",
        ),
    ),
    tags={"Discovery": "Machine-readable documents about this API."},
    settings={"discovery": "settings:DiscoverySection"},
    routes=("routes:routes",),
)
