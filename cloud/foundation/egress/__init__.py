"""The one guarded HTTP client for everything that leaves the cloud (D17)."""

from cloud.foundation.egress.client import Answer, Egress, Failure, FailureReason
from cloud.foundation.egress.errors import UrlBlocked, UrlMalformed
from cloud.foundation.egress.resolver import NameUnresolved, Resolver, SystemResolver
from cloud.foundation.egress.target import AllowList, Target, read_target

__all__ = [
    "AllowList",
    "Answer",
    "Egress",
    "Failure",
    "FailureReason",
    "NameUnresolved",
    "Resolver",
    "SystemResolver",
    "Target",
    "UrlBlocked",
    "UrlMalformed",
    "read_target",
]
