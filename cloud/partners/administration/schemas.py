"""The forms and addresses of the administrator's pages.

A form is lenient about what it does not know and strict about sizes; what it means is judged by the services. A choice
of several is one field for each: `scope:webhooks:read=on`.
"""

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud.foundation.http import Cursor, Query
from cloud.partners.webhooks import DeliveryStatus

CHOSEN = "on"
_TRACE = re.compile(r"[0-9a-f]{32}")
_BACK = re.compile(r"/admin([/?][!-\[\]-~]*)?")


def _none(value: object) -> object:
    """A field of a search form that was left empty."""
    return value.strip() or None if isinstance(value, str) else value


Sought = Annotated[str | None, BeforeValidator(_none)]


class PageQuery(Query):
    """A page that says what was just done."""

    done: str | None = Field(default=None, max_length=40)


class ListQuery(PageQuery):
    """A list, and where it begins."""

    cursor: Cursor = None


class UsersQuery(ListQuery):
    """Users, all or those whose name has this in it."""

    named: Sought = Field(default=None, max_length=254)


class AppsOfQuery(ListQuery):
    """Webhooks, of one app or of all."""

    app: str | None = Field(default=None, max_length=64)


class WebhookQuery(ListQuery):
    """One webhook, and which of its deliveries."""

    status: DeliveryStatus | None = None


class AuditQuery(Query):
    """What is looked for in the audit trail."""

    trace_id: Sought = Field(default=None, max_length=200)
    actor: Sought = Field(default=None, max_length=254)
    action: Sought = Field(default=None, max_length=100)
    object: Sought = Field(default=None, max_length=254)
    days: int = Field(default=30, ge=1, le=3660)
    cursor: Cursor = None

    @property
    def trace(self) -> str | None:
        """The trace id in what was pasted, be it a whole traceparent; None when there is none in it."""
        found = _TRACE.search((self.trace_id or "").lower())
        return None if found is None else found[0]


class AdminForm(BaseModel):
    """Every form. `version`: the app as it was shown, so that nobody writes over what somebody else changed."""

    model_config = ConfigDict(frozen=True, extra="allow")

    form_token: str | None = Field(default=None, max_length=100)
    version: str = Field(default="", max_length=80)

    def chosen(self, kind: str) -> list[str]:
        """The names that were ticked of one kind."""
        extra = self.model_extra or {}
        return [name.partition(":")[2] for name, value in extra.items() if name.startswith(f"{kind}:") and value]


class LanguageForm(AdminForm):
    """A language, and the page to come back to."""

    lang: str = Field(default="", max_length=8)
    back: Annotated[
        str, BeforeValidator(lambda value: value if isinstance(value, str) and _BACK.fullmatch(value) else "")
    ] = ""


class AppForm(AdminForm):
    """A new app. `client_id` was made with the page, so that the same form sent twice makes one app."""

    client_id: str = Field(default="", max_length=64)
    name: str = Field(default="", max_length=400)
    redirect_uris: str = Field(default="", max_length=24_000)
    organization_id: str = Field(default="", max_length=64)
    public: str = Field(default="", max_length=8)


class GovernanceForm(AdminForm):
    """Every flag. Lists have a name on a line; an empty list of hosts means any, an empty life the usual one."""

    allow_service_tokens: str = Field(default="", max_length=8)
    enforce_pkce: str = Field(default="", max_length=8)
    allowed_redirect_hosts: str = Field(default="", max_length=16_000)
    allowed_webhook_hosts: str = Field(default="", max_length=16_000)
    max_token_ttl_seconds: str = Field(default="", max_length=12)
    limit_scopes: str = Field(default="", max_length=8)


class RotationForm(AdminForm):
    """How many hours the previous secret goes on working; 0 ends it now."""

    grace_hours: int = Field(default=24, ge=0, le=168)


class ServiceTokenForm(AdminForm):
    """How long the token lives."""

    ttl_seconds: int = Field(default=86_400)


class UserForm(AdminForm):
    """Somebody new."""

    username: str = Field(default="", max_length=254)
    organization_id: str = Field(default="", max_length=64)
    secrecy_level: str = Field(default="standard", max_length=20)


class ReplayForm(AdminForm):
    """Since when what failed is sent again, in hours."""

    hours: int = Field(default=24, ge=1, le=30 * 24)


def lines(text: str) -> list[str]:
    """What stands on the lines of a text field, without the empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]
