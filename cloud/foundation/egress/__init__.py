"""The one HTTP client for all requests that leave the cloud. It calls only public addresses (design D17)."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.foundation.egress.client import Egress, Failure, FailureReason, Response
    from cloud.foundation.egress.errors import UrlBlocked, UrlMalformed
    from cloud.foundation.egress.resolver import NameUnresolved, Resolver
    from cloud.foundation.egress.settings import allow_list
    from cloud.foundation.egress.target import URL_LENGTH_MAX, AllowList, Target, read_target
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, settings={"egress": "settings:EgressSection"})
