"""Check the scopes that a job needs: in the caller's token when a job is started and when its result is fetched, and
those of the app when a worker claims the job. Which scopes a job needs is stated by its kind (`scopes.py`).
"""

from collections.abc import Collection

from cloud.access.apps import AppStore, effective
from cloud.foundation.db import Database
from cloud.foundation.http import InsufficientScope
from cloud.work.jobs.kind import JobFailure
from cloud.work.jobs.model import JobRow


def check_token(needed: Collection[str], scopes: Collection[str]) -> None:
    """Check that the scopes of a caller's token have those that are needed. Raises `InsufficientScope`."""
    missing = _missing(needed, scopes)
    if missing:
        challenge = f'Bearer error="insufficient_scope", scope="{" ".join(missing)}"'
        raise InsufficientScope(headers={"WWW-Authenticate": challenge})


class AppRights:
    """Checks the rights that the apps of jobs have at present."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._apps = AppStore()

    async def check(self, job: JobRow, needed: Collection[str]) -> None:
        """Check that the app of a job still exists and still has the scopes that the job needs. A job without an app is
        the operator's. Raises `JobFailure`."""
        if job.client_id is None:
            return
        async with self._database.read() as tx:
            app = await self._apps.find(tx, job.client_id)
        if app is None or app.tenant_id != job.tenant_id:
            raise JobFailure("app_removed", "The app that started the job was removed.")
        missing = _missing(needed, app.usable_scopes)
        if missing:
            sentence = f"The app that started the job has lost a scope that the job needs: {', '.join(missing)}."
            raise JobFailure("insufficient_scope", sentence)


def _missing(needed: Collection[str], scopes: Collection[str]) -> list[str]:
    granted = effective(scopes)
    return [name for name in needed if name not in granted]
