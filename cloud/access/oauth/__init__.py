"""The OAuth endpoints: authorization, token, revocation and introspection."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.access.oauth.surface import TokenSurface, token_surface, tokens_of
    from cloud.access.oauth.words import WORDS
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tags={
        "Authentication": "Access tokens for machines and on behalf of people, and the public keys that verify them."
    },
    jobs="jobs:jobs",
    tables="tables",
    routes=("surface:routes",),
)
