"""Check the scopes of a kind of job: those of the caller's token when a job is started and when its result is fetched,
and those of the app when a worker claims the job.
"""

from collections.abc import Collection

from cloud.access.apps import AppStore, effective
from cloud.foundation.db import Database
from cloud.foundation.http import InsufficientScope
from cloud.work.jobs.kind import AnyKind, JobFailure
from cloud.work.jobs.model import Job


def check_token(kind: AnyKind, scopes: Collection[str]) -> None:
    """Check the scopes of a caller's token. Raises `InsufficientScope`."""
    missing = _missing(kind, scopes)
    if missing:
        challenge = f'Bearer error="insufficient_scope", scope="{" ".join(missing)}"'
        raise InsufficientScope(headers={"WWW-Authenticate": challenge})


class AppRights:
    """Checks the rights that the apps of jobs have at present."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._apps = AppStore()

    async def check(self, job: Job, kind: AnyKind) -> None:
        """Check that the app of a job still exists and still has the scopes of the kind. A kind without scopes reads no
        data, and a job without an app is the operator's. Raises `JobFailure`."""
        if job.client_id is None or not kind.scopes:
            return
        async with self._database.read() as tx:
            app = await self._apps.find(tx, job.client_id)
        if app is None or app.tenant_id != job.tenant_id:
            raise JobFailure("app_removed", "The app that started the job was removed.")
        missing = _missing(kind, app.usable_scopes)
        if missing:
            sentence = f"The app that started the job has lost a scope that the job needs: {', '.join(missing)}."
            raise JobFailure("insufficient_scope", sentence)


def _missing(kind: AnyKind, scopes: Collection[str]) -> list[str]:
    granted = effective(scopes)
    return [name for name in kind.scopes if name not in granted]
