"""Share links: the hand-over of an encounter as a hospital's reader opens it in a browser, live until the arrival."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.handover.links import ShareLinks
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tables="tables",
    routes=("routes:routes", "link_routes:routes"),
    jobs="jobs:jobs",
    retention="retention:KINDS",
    events="event_types:EVENTS",
    settings={"handover": "settings:HandoverSection"},
    commands={"share-links": "cli:links"},
)
