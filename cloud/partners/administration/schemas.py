"""Forms and query parameters of the administration pages.

A form limits sizes and ignores unknown fields; the services check the values. A multiple choice has one field for each
ticked name, such as `scope:webhooks:read=on`.
"""

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud.foundation.egress import URL_LENGTH_MAX
from cloud.foundation.http import Cursor, Query
from cloud.partners.webhooks import DeliveryStatus
from cloud.work.exports import ExportData, ExportFormat
from cloud.work.jobs import JobStatus
from cloud.work.schedules import DELAY_HOURS, DELAY_HOURS_MAX

CHOSEN = "on"
_TRACE = re.compile(r"[0-9a-f]{32}")
_BACK = re.compile(r"/admin([/?][!-\[\]-~]*)?")


def _none(value: object) -> object:
    """Strip a field of a search form; return None if it is empty."""
    return value.strip() or None if isinstance(value, str) else value


OptionalText = Annotated[str | None, BeforeValidator(_none)]


class PageQuery(Query):
    """The query of a page. `done`: the action that it confirms."""

    done: str | None = Field(default=None, max_length=40)


class ListQuery(PageQuery):
    """The query of a list. `cursor`: the position where the page begins."""

    cursor: Cursor = None


class UsersQuery(ListQuery):
    """Users: all, or those whose name contains a text."""

    named: OptionalText = Field(default=None, max_length=254)


class AppsOfQuery(ListQuery):
    """Webhooks of one app or of all."""

    app: str | None = Field(default=None, max_length=64)


class WebhookQuery(ListQuery):
    """One webhook, with deliveries of one status or all."""

    status: DeliveryStatus | None = None


class JobsQuery(ListQuery):
    """Jobs: all, or those with one status."""

    status: JobStatus | None = None


class AuditQuery(Query):
    """A search of the audit trail."""

    trace_id: OptionalText = Field(default=None, max_length=200)
    actor: OptionalText = Field(default=None, max_length=254)
    action: OptionalText = Field(default=None, max_length=100)
    object: OptionalText = Field(default=None, max_length=254)
    days: int = Field(default=30, ge=1, le=3660)
    cursor: Cursor = None

    @property
    def trace(self) -> str | None:
        """The trace id in the field `trace_id`, which may be a whole traceparent; None if it contains none."""
        found = _TRACE.search((self.trace_id or "").lower())
        return None if found is None else found[0]


class AdminForm(BaseModel):
    """The fields of every form. `version`: that of the shown object, so that no concurrent change is overwritten."""

    model_config = ConfigDict(frozen=True, extra="allow")

    form_token: str | None = Field(default=None, max_length=100)
    version: str = Field(default="", max_length=80)

    def chosen(self, kind: str) -> list[str]:
        """Return the ticked names of one kind, such as `scope`."""
        extra = self.model_extra or {}
        return [name.partition(":")[2] for name, value in extra.items() if name.startswith(f"{kind}:") and value]


class LanguageForm(AdminForm):
    """A language, and the page to return to."""

    lang: str = Field(default="", max_length=8)
    back: Annotated[
        str, BeforeValidator(lambda value: value if isinstance(value, str) and _BACK.fullmatch(value) else "")
    ] = ""


class AppForm(AdminForm):
    """A new app. `client_id` was generated with the page, so that a form that is sent twice registers one app."""

    client_id: str = Field(default="", max_length=64)
    name: str = Field(default="", max_length=400)
    redirect_uris: str = Field(default="", max_length=24_000)
    organization_id: str = Field(default="", max_length=64)
    public: str = Field(default="", max_length=8)


class GovernanceForm(AdminForm):
    """All governance flags. Lists have one name per line; an empty list of hosts means any host."""

    allow_service_tokens: str = Field(default="", max_length=8)
    enforce_pkce: str = Field(default="", max_length=8)
    allowed_redirect_hosts: str = Field(default="", max_length=16_000)
    allowed_webhook_hosts: str = Field(default="", max_length=16_000)
    max_token_ttl_seconds: str = Field(default="", max_length=12)
    limit_scopes: str = Field(default="", max_length=8)


class RotationForm(AdminForm):
    """The hours for which the previous secret remains valid; 0 revokes it now."""

    grace_hours: int = Field(default=24, ge=0, le=168)


class ServiceTokenForm(AdminForm):
    """The lifetime of a service token."""

    ttl_seconds: int = Field(default=86_400)


class ScheduleForm(AdminForm):
    """A new schedule of exports. `id` was generated with the page, so that a form that is sent twice adds one."""

    id: str = Field(default="", max_length=64)
    app: str = Field(default="", max_length=64)
    name: str = Field(default="", max_length=400)
    data: str = Field(default=ExportData.ENCOUNTERS.value, max_length=40)
    format: str = Field(default=ExportFormat.NDJSON.value, max_length=40)
    cron: str = Field(default="0 3 * * *", max_length=200)
    time_zone: str = Field(default="Europe/Warsaw", max_length=64)
    delay_hours: int = Field(default=DELAY_HOURS, ge=0, le=DELAY_HOURS_MAX)
    callback_url: str = Field(default="", max_length=URL_LENGTH_MAX)
    secrecy_level: str = Field(default="standard", max_length=20)


class UserForm(AdminForm):
    """A new user."""

    username: str = Field(default="", max_length=254)
    organization_id: str = Field(default="", max_length=64)
    secrecy_level: str = Field(default="standard", max_length=20)


class ReplayForm(AdminForm):
    """The number of hours before now whose failed deliveries are replayed."""

    hours: int = Field(default=24, ge=1, le=30 * 24)


def lines(text: str) -> list[str]:
    """Return the lines of a text field without empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]
