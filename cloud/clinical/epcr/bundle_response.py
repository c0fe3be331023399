"""The FHIR bundle as another form of an encounter's summary. Slice `fhir`, which needs this one, supplies it."""

from collections.abc import Awaitable, Callable

from cloud.foundation.http import Parts, Request, Response
from cloud.foundation.supplies import Need

RespondWithBundle = Callable[[Request], Awaitable[Response]]
"""Return the bundle of the encounter in the request's path."""

BUNDLE_RESPONSE: Need[Callable[[Parts], RespondWithBundle]] = Need("respond with the FHIR bundle of an encounter")

FHIR_JSON = "application/fhir+json"
