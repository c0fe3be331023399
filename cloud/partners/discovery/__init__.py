"""Documents about the interface for machines: the OpenAPI contract, made from the rows of all slices."""

from cloud.partners.discovery.contract import Contract, make_contract, write_contract
from cloud.partners.discovery.handlers import DiscoveryHandlers
from cloud.partners.discovery.openapi import RowsDisagree, contract_document, disagreements, public_rows
from cloud.partners.discovery.public_contract_filter import DENYLIST, is_denied, is_public
from cloud.partners.discovery.routes import routes

__all__ = [
    "DENYLIST",
    "Contract",
    "DiscoveryHandlers",
    "RowsDisagree",
    "contract_document",
    "disagreements",
    "is_denied",
    "is_public",
    "make_contract",
    "public_rows",
    "routes",
    "write_contract",
]
