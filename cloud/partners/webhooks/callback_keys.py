"""Derive the keys that sign call-backs at the time of each attempt, so that a rotated secret signs at once (contract
matrix A-065)."""

from collections.abc import Collection

from cloud.access.apps import App, AppStore, signing_secrets
from cloud.foundation.db import Database
from cloud.foundation.master_key import MasterKey
from cloud.partners.webhooks.endpoint_store import Endpoint
from cloud.partners.webhooks.signing import secret_key


async def callback_keys(
    database: Database, master: MasterKey, endpoints: Collection[Endpoint], now_us: int
) -> dict[str, tuple[bytes, ...] | None]:
    """Return the HMAC keys of each of these endpoints that is a receiver of call-backs; None if its app is deleted."""
    receivers = [one for one in endpoints if one.is_callback]
    store = AppStore()
    async with database.read() as tx:
        apps = {client_id: await store.find(tx, client_id) for client_id in {one.client_id for one in receivers}}
    return {one.id: _keys(master, apps[one.client_id], now_us) for one in receivers}


def _keys(master: MasterKey, app: App | None, now_us: int) -> tuple[bytes, ...] | None:
    return None if app is None else tuple(secret_key(secret) for secret in signing_secrets(master, app, now_us))
