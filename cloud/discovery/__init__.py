"""Documents about the interface for machines: the OpenAPI contract, made from the rows of all slices."""

from cloud.discovery.contract import Contract, make_contract, write_contract
from cloud.discovery.handlers import DiscoveryHandlers
from cloud.discovery.openapi import RowsDisagree, contract_document, disagreements, public_rows
from cloud.discovery.public_contract_filter import DENYLIST, is_denied, is_public
from cloud.discovery.routes import routes

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
