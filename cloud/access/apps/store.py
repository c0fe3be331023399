"""SQL statements on apps. `find` and `live_secrets` run before authentication, so they take no `Viewer`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, or_, select, update

from cloud.access.apps.model import App, Governance, GrantType, LiveSecret
from cloud.access.apps.tables import app_secrets, apps, entitled_scopes, withheld_scopes
from cloud.foundation.db import Prepared, Records, Transaction, insert
from cloud.foundation.viewer import Viewer, visible


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_APPS = Records(
    App,
    apps,
    codecs={
        "grant_types": (" ".join, lambda names: tuple(map(GrantType, names.split()))),
        "redirect_uris": (_json, lambda text: tuple(orjson.loads(text))),
        "requested_scopes": (" ".join, _words),
        "approved_scopes": (" ".join, _words),
        "governance": (lambda one: _json(one.document()), lambda text: Governance.of(orjson.loads(text))),
        "confidential": (bool, bool),
    },
    renamed={"clearance": "secrecy_level"},
)
_FIND = Prepared(_APPS.select().where(apps.c.client_id == bindparam("client"), apps.c.deleted_at_us.is_(None)))
_LIVE = (
    app_secrets.c.client_id == bindparam("client"),
    or_(app_secrets.c.expires_at_us.is_(None), app_secrets.c.expires_at_us > bindparam("now")),
)
# The current secret sorts first: it has no expiry, even if processes with different clocks rotated at the same time.
_NEWEST_FIRST = (app_secrets.c.expires_at_us.is_not(None), app_secrets.c.created_at_us.desc(), app_secrets.c.id.desc())
_SECRETS = Records(LiveSecret, app_secrets)
_DIGESTS = Prepared(_SECRETS.select().where(*_LIVE).order_by(*_NEWEST_FIRST).limit(2))


class AppStore:
    """SQL statements on apps and their secrets."""

    async def find(self, tx: Transaction, client_id: str) -> App | None:
        """Return the app with this client id, or None if the client id is unknown or the app is deleted."""
        rows = await tx.driver.rows(_FIND, {"client": client_id})
        return _APPS.read(rows[0]) if rows else None

    async def live_secrets(self, tx: Transaction, client_id: str, now_us: int) -> Sequence[LiveSecret]:
        """Return the client secrets with which an app can authenticate now, newest first; at most two."""
        rows = await tx.driver.rows(_DIGESTS, {"client": client_id, "now": now_us})
        return [_SECRETS.read(row) for row in rows]

    async def live_secrets_of(
        self, tx: Transaction, client_ids: Sequence[str], now_us: int
    ) -> Mapping[str, Sequence[LiveSecret]]:
        """Return a dict that maps each of these client ids to the app's working secrets, newest first."""
        live = or_(app_secrets.c.expires_at_us.is_(None), app_secrets.c.expires_at_us > now_us)
        statement = (
            select(app_secrets.c.client_id, *_SECRETS.columns)
            .where(app_secrets.c.client_id.in_(client_ids), live)
            .order_by(*_NEWEST_FIRST)
        )
        found: dict[str, list[LiveSecret]] = {client_id: [] for client_id in client_ids}
        for client_id, *columns in await tx.execute(statement):
            found[client_id].append(_SECRETS.read(columns))
        return found

    async def withheld(self, tx: Transaction, tenant_id: str) -> frozenset[str]:
        """Return the scopes that are withheld from this tenant: none of its apps can have them."""
        statement = select(withheld_scopes.c.scope).where(withheld_scopes.c.tenant_id == tenant_id)
        return frozenset(str(row[0]) for row in await tx.execute(statement))

    async def withhold(self, tx: Transaction, tenant_id: str, scopes: Collection[str]) -> None:
        """Replace the set of scopes that are withheld from a tenant."""
        await tx.execute(delete(withheld_scopes).where(withheld_scopes.c.tenant_id == tenant_id))
        for scope in sorted(scopes):
            await tx.execute(insert(withheld_scopes).values(tenant_id=tenant_id, scope=scope))

    async def entitled(self, tx: Transaction, tenant_id: str) -> frozenset[str]:
        """Return the scopes outside of the catalogue to which this tenant is entitled."""
        statement = select(entitled_scopes.c.scope).where(entitled_scopes.c.tenant_id == tenant_id)
        return frozenset(str(row[0]) for row in await tx.execute(statement))

    async def entitle(self, tx: Transaction, tenant_id: str, scopes: Collection[str]) -> None:
        """Replace the set of scopes to which a tenant is entitled."""
        await tx.execute(delete(entitled_scopes).where(entitled_scopes.c.tenant_id == tenant_id))
        for scope in sorted(scopes):
            await tx.execute(insert(entitled_scopes).values(tenant_id=tenant_id, scope=scope))

    async def find_for(self, tx: Transaction, viewer: Viewer, client_id: str, *, lock: bool = False) -> App | None:
        """Return the app if the viewer may see it, otherwise None. `lock`: lock the app until `tx` ends."""
        statement = _shown(viewer).where(apps.c.client_id == client_id)
        return await _APPS.first(tx, statement.with_for_update() if lock else statement)

    async def list(
        self, tx: Transaction, viewer: Viewer, *, after: str | None = None, count: int | None = None, lock: bool = False
    ) -> Sequence[App]:
        """Return the apps that the viewer may see, in the order of their ids. `after`: only greater ids. `count`: at
        most this number. `lock`: lock these apps until `tx` ends."""
        statement = _shown(viewer).order_by(apps.c.client_id).limit(count)
        if lock:
            statement = statement.with_for_update()
        return await _APPS.all(tx, statement.where(apps.c.client_id > (after or "")))

    async def add(self, tx: Transaction, app: App) -> bool:
        """Add an app. Return False when an app of any tenant has this client id."""
        return await _APPS.add(tx, app)

    async def replace(self, tx: Transaction, viewer: Viewer, app: App) -> None:
        statement = update(apps).where(*visible(apps, viewer), apps.c.client_id == app.client_id)
        await tx.execute(statement.values(_APPS.values(app)))

    async def remove(self, tx: Transaction, viewer: Viewer, client_id: str, now_us: int) -> None:
        """Mark an app as deleted and delete its secrets. The app's row stays, since audit entries name the app."""
        statement = update(apps).where(*visible(apps, viewer), apps.c.client_id == client_id)
        await tx.execute(statement.values(deleted_at_us=now_us))
        await tx.execute(delete(app_secrets).where(app_secrets.c.client_id == client_id))

    async def add_secret(self, tx: Transaction, client_id: str, secret: LiveSecret) -> None:
        await tx.execute(insert(app_secrets).values(client_id=client_id, **_SECRETS.values(secret)))

    async def keep_secrets(self, tx: Transaction, client_id: str, kept: Sequence[str], expires_at_us: int) -> None:
        """Delete an app's secrets, except the secrets with the ids `kept`. The kept secrets expire at `expires_at_us`
        or earlier."""
        ours = app_secrets.c.client_id == client_id
        await tx.execute(delete(app_secrets).where(ours, app_secrets.c.id.not_in(kept)))
        sooner = or_(app_secrets.c.expires_at_us.is_(None), app_secrets.c.expires_at_us > expires_at_us)
        await tx.execute(update(app_secrets).where(ours, sooner).values(expires_at_us=expires_at_us))


def _shown(viewer: Viewer) -> Any:
    return _APPS.select().where(*visible(apps, viewer), apps.c.deleted_at_us.is_(None))
