"""Access tokens: signing keys, the published key set, minting, verifying, revoking."""

from cloud.access.tokens.claims import Claims, Names, TokenUse
from cloud.access.tokens.handlers import KeySetHandlers
from cloud.access.tokens.keys import SigningKeys
from cloud.access.tokens.minting import Mint, Minted
from cloud.access.tokens.revocation import Revocation
from cloud.access.tokens.routes import routes
from cloud.access.tokens.standing import Standing
from cloud.access.tokens.verifier import Verifier

__all__ = [
    "Claims",
    "KeySetHandlers",
    "Mint",
    "Minted",
    "Names",
    "Revocation",
    "SigningKeys",
    "Standing",
    "TokenUse",
    "Verifier",
    "routes",
]
