"""Access tokens: signing keys, the published key set, minting, verifying, revoking."""

from cloud.tokens.claims import Claims, Names, TokenUse
from cloud.tokens.handlers import KeySetHandlers
from cloud.tokens.keys import SigningKeys
from cloud.tokens.minting import Mint, Minted
from cloud.tokens.revocation import Revocation
from cloud.tokens.routes import routes
from cloud.tokens.standing import Standing
from cloud.tokens.verifier import Verifier

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
