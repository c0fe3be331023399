"""The routes of the administration pages. None is in the public contract (C-060)."""

from collections.abc import Callable
from typing import Any

from cloud.access.oauth import tokens_of
from cloud.foundation.http import PUBLIC, BodyKind, Host, Parts, RateClass, Route
from cloud.partners.administration.admin_pages import AdminPages, Area, Work
from cloud.partners.administration.app_pages import AppPages
from cloud.partners.administration.audit_pages import AuditPages
from cloud.partners.administration.home_page import HomePage
from cloud.partners.administration.job_pages import JobPages
from cloud.partners.administration.key_pages import KeyPages
from cloud.partners.administration.schedule_pages import SCHEDULES, SchedulePages
from cloud.partners.administration.schemas import (
    AdminForm,
    AppForm,
    AppsOfQuery,
    AuditQuery,
    GovernanceForm,
    JobsQuery,
    LanguageForm,
    ListQuery,
    PageQuery,
    ReplayForm,
    RotationForm,
    ScheduleForm,
    ServiceTokenForm,
    UserForm,
    UsersQuery,
    WebhookQuery,
)
from cloud.partners.administration.user_pages import UserPages
from cloud.partners.administration.webhook_pages import WebhookPages
from cloud.partners.webhooks import judge_of

_FORM_BYTES_MAX = 65_536
_Row = Callable[..., Route]


def routes(parts: Parts) -> tuple[Route, ...]:
    tokens, judge = parts.shared(tokens_of), parts.shared(judge_of)
    pages = AdminPages(parts, tokens.people, parts.bases[Host.AUTH])
    apps, users = AppPages(pages, tokens), UserPages(pages, tokens)
    webhooks, home = WebhookPages(pages, judge), HomePage(pages, tokens.keys, judge)
    audit, keys = AuditPages(pages), KeyPages(pages, tokens.keys)
    row = _rows_of(pages)
    return (
        row("GET", "/admin", Area.HOME, home.show, "Show what needs a look"),
        row("POST", "/admin/language", Area.HOME, pages.choose_language, "Choose a language", body=LanguageForm),
        *_apps(row, apps),
        *_webhooks(row, webhooks),
        *_jobs(row, JobPages(pages)),
        *_schedules(row, SchedulePages(pages)),
        *_users(row, users),
        row("GET", "/admin/audit", Area.AUDIT, audit.search, "Search the audit trail", query=AuditQuery),
        row("GET", "/admin/keys", Area.KEYS, keys.page, "List the signing keys", query=PageQuery),
    )


def _apps(row: _Row, h: AppPages) -> tuple[Route, ...]:
    one = "/admin/apps/{client_id}"
    return (
        row("GET", "/admin/apps", Area.APPS, h.list, "List the apps", query=ListQuery),
        row("GET", "/admin/apps/new", Area.APPS, h.new, "Show the form for an app"),
        row("POST", "/admin/apps", Area.APPS, h.create, "Register an app", body=AppForm),
        row("GET", one, Area.APPS, h.show, "Show an app", query=PageQuery),
        row("POST", f"{one}/scopes", Area.APPS, h.approve, "Approve an app's scopes", body=AdminForm),
        row("POST", f"{one}/governance", Area.APPS, h.govern, "Govern an app", body=GovernanceForm),
        row("POST", f"{one}/secret", Area.APPS, h.rotate, "Rotate an app's secret", body=RotationForm),
        row("POST", f"{one}/service-token", Area.APPS, h.mint, "Mint a service token", body=ServiceTokenForm),
        row("GET", f"{one}/delete", Area.APPS, h.confirm, "Confirm the deletion of an app"),
        row("POST", f"{one}/delete", Area.APPS, h.delete, "Delete an app", body=AdminForm),
    )


def _webhooks(row: _Row, h: WebhookPages) -> tuple[Route, ...]:
    one, area = "/admin/webhooks/{webhook_id}", Area.WEBHOOKS
    again = f"{one}/deliveries/{{delivery_id}}/replay"
    return (
        row("GET", "/admin/webhooks", area, h.list, "List the webhooks", query=AppsOfQuery),
        row("GET", one, area, h.show, "Show a webhook and its deliveries", query=WebhookQuery),
        row("POST", f"{one}/secret", area, h.rotate, "Rotate a webhook's secret", body=AdminForm),
        row("POST", f"{one}/disable", area, h.disable, "Disable a webhook", body=AdminForm),
        row("POST", f"{one}/enable", area, h.enable, "Enable a webhook", body=AdminForm),
        row("POST", f"{one}/test", area, h.test, "Send a test", body=AdminForm),
        row("POST", f"{one}/replay", area, h.replay_failed, "Send again what failed", body=ReplayForm),
        row("POST", again, area, h.replay_one, "Send one delivery again", body=AdminForm),
    )


def _jobs(row: _Row, h: JobPages) -> tuple[Route, ...]:
    one, area = "/admin/jobs/{job_id}", Area.JOBS
    return (
        row("GET", "/admin/jobs", area, h.list, "List the jobs", query=JobsQuery),
        row("GET", one, area, h.show, "Show a job", query=PageQuery),
        row("POST", f"{one}/cancel", area, h.cancel, "Cancel a job", body=AdminForm),
    )


def _schedules(row: _Row, h: SchedulePages) -> tuple[Route, ...]:
    one, area = f"{SCHEDULES}/{{schedule_id}}", Area.JOBS
    return (
        row("GET", SCHEDULES, area, h.list, "List the schedules", query=PageQuery),
        row("GET", f"{SCHEDULES}/new", area, h.new, "Show the form for a schedule"),
        row("POST", SCHEDULES, area, h.add, "Add a schedule", body=ScheduleForm),
        row("GET", one, area, h.show, "Show a schedule", query=PageQuery),
        row("POST", f"{one}/pause", area, h.pause, "Pause a schedule", body=AdminForm),
        row("POST", f"{one}/resume", area, h.resume, "Resume a schedule", body=AdminForm),
        row("POST", f"{one}/remove", area, h.remove, "Remove a schedule", body=AdminForm),
    )


def _users(row: _Row, h: UserPages) -> tuple[Route, ...]:
    one = "/admin/users/{user_id}"
    return (
        row("GET", "/admin/users", Area.USERS, h.list, "List the users", query=UsersQuery),
        row("GET", "/admin/users/new", Area.USERS, h.new, "Show the form for a user"),
        row("POST", "/admin/users", Area.USERS, h.add, "Add a user", body=UserForm),
        row("GET", one, Area.USERS, h.show, "Show a user", query=PageQuery),
        row("POST", f"{one}/roles", Area.USERS, h.set_roles, "Set a user's roles", body=AdminForm),
        row("POST", f"{one}/disable", Area.USERS, h.disable, "Disable a user", body=AdminForm),
        row("POST", f"{one}/enable", Area.USERS, h.enable, "Enable a user", body=AdminForm),
        row("POST", f"{one}/password", Area.USERS, h.set_password, "Give a user a new password", body=AdminForm),
        row("POST", f"{one}/second-factor", Area.USERS, h.reset_factor, "Reset a second factor", body=AdminForm),
    )


def _rows_of(pages: AdminPages) -> _Row:
    def row(method: str, path: str, area: Area, work: Work, summary: str, **more: Any) -> Route:
        return Route(
            method=method,
            path=path,
            handler=pages.at(area, work),
            host=Host.AUTH,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC if method == "GET" else RateClass.TOKEN,
            body_kind=BodyKind.FORM,
            body_bytes_max=_FORM_BYTES_MAX,
            responses={200: "The page.", 303: "Onward.", 403: "Not an administrator, or not our form."},
            summary=summary,
            tag="Administration",
            in_contract=False,
            refusal_page=pages.refusal,
            **more,
        )

    return row
