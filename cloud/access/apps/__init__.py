"""Integration apps: OAuth clients, their secrets, scopes and governance."""

from cloud.access.apps.errors import AppPublic, AppUnknown
from cloud.access.apps.model import App, Governance, GrantType
from cloud.access.apps.scopes import (
    CATALOGUE,
    NAMES,
    PLATFORM_ADMIN,
    ScopeUnknown,
    check_allowed,
    effective,
    on_auth_host,
    read_scopes,
)
from cloud.access.apps.service import Apps, Registered, Rotated, Wanted
from cloud.access.apps.store import AppStore

__all__ = [
    "CATALOGUE",
    "NAMES",
    "PLATFORM_ADMIN",
    "App",
    "AppPublic",
    "AppStore",
    "AppUnknown",
    "Apps",
    "Governance",
    "GrantType",
    "Registered",
    "Rotated",
    "ScopeUnknown",
    "Wanted",
    "check_allowed",
    "effective",
    "on_auth_host",
    "read_scopes",
]
