"""Errors of share links."""

from cloud.foundation.errors import DomainError


class ShareLinkUnknown(DomainError, code="share_link_unknown", status=404):
    """There is no hand-over at this link. Check that the whole link was copied, or request a new one from the crew."""


class ShareLinkEnded(DomainError, code="share_link_ended", status=410):
    """This link was revoked or has expired. Request a new one from the crew."""
