"""GraphQL transport, with operation bundles that list what each app may send."""

from cloud.foundation.slice import Slice

SLICE = Slice(
    package=__name__,
    tables="tables",
    routes=("routes:routes",),
    tags={"GraphQL": "Approved GraphQL operations."},
    commands={"bundles": "cli:bundles"},
)
