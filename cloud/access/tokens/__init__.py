"""Access tokens: signing keys, the published key set, and minting, verifying and revoking tokens."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.access.tokens.auth_state import AuthStateCache
    from cloud.access.tokens.claims import Claims, Names
    from cloud.access.tokens.cli import init_secrets, make_first_master_key
    from cloud.access.tokens.handlers import KeySetHandlers
    from cloud.access.tokens.keys import SigningKeys
    from cloud.access.tokens.master_keys import master_key_finding
    from cloud.access.tokens.minting import Mint, Minted
    from cloud.access.tokens.revocation import Revocation
    from cloud.access.tokens.routes import key_set_rows
    from cloud.access.tokens.signing_key import SECOND_US
    from cloud.access.tokens.store import SigningKeyStore
    from cloud.access.tokens.verifier import Verifier
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tables="tables",
    jobs="jobs:jobs",
    commands={"keys": "cli:keys", "tokens": "cli:tokens"},
)
