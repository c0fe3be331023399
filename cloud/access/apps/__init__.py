"""Integration apps: OAuth clients with their secrets, scopes and governance (the limits that a tenant sets)."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Scope, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.access.apps.callbacks import callback_secret, signing_secrets
    from cloud.access.apps.cli import clearance_of
    from cloud.access.apps.errors import AppPublic, AppUnknown, ClearanceExceeded, GovernanceMalformed
    from cloud.access.apps.handlers import SERVICE_TOKENS, etag_of, flags_of
    from cloud.access.apps.model import App, Governance, GrantType, LiveSecret
    from cloud.access.apps.schemas import GovernancePatch
    from cloud.access.apps.scopes import (
        CATALOGUE,
        ENTITLED,
        NAMES,
        PLATFORM_ADMIN,
        ScopeUnknown,
        check_approved,
        effective,
        on_auth_host,
        read_scopes,
    )
    from cloud.access.apps.service import Apps, Wanted
    from cloud.access.apps.store import AppStore
    from cloud.access.apps.tables import apps
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    ids={"app": IdKind("app", "apps", ("client_id",))},
    scopes=(
        Scope("argus:acqi:read", "Read quality indicators of ambulance care", "Odczyt wskaźników jakości ratownictwa"),
        Scope("argus:telephony:read", "Read emergency calls and their state", "Odczyt zgłoszeń alarmowych i ich stanu"),
        Scope(
            "argus:telephony:write",
            "Register emergency calls and change their state",
            "Rejestrowanie zgłoszeń alarmowych i zmiana ich stanu",
            "argus:telephony:read",
        ),
        Scope(
            "argus:observability:read",
            "Look up traces and the health of the integration",
            "Wyszukiwanie śladów i stanu integracji",
        ),
        Scope("argus:jobs:read", "Follow jobs and fetch their results", "Śledzenie zadań i pobieranie ich wyników"),
        Scope("argus:jobs:write", "Start and cancel jobs", "Uruchamianie i anulowanie zadań", "argus:jobs:read"),
        Scope(
            "argus:platform:read",
            "Read integration apps and the scope catalogue",
            "Odczyt aplikacji integracyjnych i katalogu zakresów",
        ),
        Scope(
            "argus:platform:admin",
            "Administer integration apps, their secrets and tokens",
            "Administrowanie aplikacjami, ich sekretami i tokenami",
            "argus:platform:read",
        ),
        Scope("argus:profiles:read", "Read integration profiles", "Odczyt profili integracji"),
        Scope(
            "argus:profiles:write",
            "Create and change integration profiles",
            "Tworzenie i zmiana profili integracji",
            "argus:profiles:read",
        ),
        Scope("argus:provenance:read", "Read provenance records and evidence", "Odczyt zapisów pochodzenia i dowodów"),
    ),
    tags={"Apps": "Register integration apps, list the available scopes and govern apps."},
    tables="tables",
    routes=("routes:routes",),
    commands={"apps": "cli:apps"},
)
