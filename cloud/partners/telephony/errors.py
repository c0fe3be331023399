"""Errors of telephony. GraphQL shows them in the form of its errors."""

from cloud.foundation.errors import DomainError


class ProviderUnknown(DomainError, code="telephony_provider_unknown", status=404):
    """Telephony provider not found."""


class RouteUnknown(DomainError, code="telephony_route_unknown", status=404):
    """Telephony route not found."""


class ProviderMalformed(DomainError, code="telephony_provider_malformed", status=422):
    """A telephony provider has a name, a known carrier, and the credentials of that carrier."""


class RouteMalformed(DomainError, code="telephony_route_malformed", status=422):
    """A telephony route has either a number in E.164 form or a subaccount of the provider."""


class RouteTaken(DomainError, code="telephony_route_taken", status=409):
    """Another active route of the provider has this number or subaccount."""


class ProviderDisabled(DomainError, code="telephony_provider_disabled", status=409):
    """The telephony provider is disabled."""


class TooManyProviders(DomainError, code="too_many_telephony_providers", status=409):
    """The tenant has too many telephony providers."""


class TooManyRoutes(DomainError, code="too_many_telephony_routes", status=409):
    """The tenant has too many telephony routes."""
