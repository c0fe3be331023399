"""Check a request for an import before its job is enqueued, and keep rows out of the payload.

The payload of a job is kept for `result_days` days after its end. Rows in a request are therefore stored as an upload,
like a file that the client has sent before, and the stored payload names the upload. So there is one way to read an
import, and names in profiles are removed with the upload, when the job has ended.
"""

from collections.abc import Collection, Mapping

import orjson

from cloud.access.tenancy import TenancyStore
from cloud.foundation.db import Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.http import BodyMalformed, OrganizationRequired
from cloud.foundation.objects import ReceivedPieces, object_store_of
from cloud.foundation.process import Process
from cloud.foundation.viewer import Actor
from cloud.work.imports.errors import UploadsUnavailable, UploadUnknown, WholeTenantRequired
from cloud.work.imports.file import LINE_BYTES_MAX
from cloud.work.imports.schemas import IMPORT_KIND, ImportData, ImportPayload
from cloud.work.jobs import JobStore


def received_of(process: Process) -> ReceivedPieces | None:
    """Return the store of uploads; None for an installation without an object store. Call it as
    `process.shared(received_of)`."""
    objects = object_store_of(process.settings)
    return None if objects is None else ReceivedPieces(objects, process.ids, process.clock)


class ImportAdmission:
    """Checks the requests of a process."""

    def __init__(self, process: Process) -> None:
        self._opened = process.shared(received_of)
        self._tenancy = TenancyStore()
        self._jobs = JobStore()

    async def admit(self, actor: Actor, payload: ImportPayload) -> ImportPayload:
        """Check a request, and store its rows as an upload. Raises `UploadsUnavailable`, `WholeTenantRequired`,
        `OrganizationRequired`, `BodyMalformed`, `TooManyPieces`, `UploadUnknown`, `ObjectStoreUnavailable`."""
        received = self._received
        if payload.data is ImportData.SANCTIONS:
            if actor.organization_id is not None:
                raise WholeTenantRequired
        elif actor.organization_id is None:
            raise OrganizationRequired
        if payload.rows is not None:
            upload_id = await received.keep(actor, _written(payload))
            return payload.model_copy(update={"rows": None, "uploads": (upload_id,)})
        named = _named(payload)
        _refuse(named, await received.missing(actor, list(named)))
        return payload

    async def claim(self, tx: Transaction, actor: Actor, payload: ImportPayload) -> None:
        """Check that no other job that has not removed its file yet names an upload. Raises `UploadUnknown`."""
        named = _named(payload)
        if named:
            # Two requests at once that name an upload: the later one waits here, and finds the job of the earlier one.
            await self._tenancy.lock_tenant(tx, actor.tenant_id)
            others = await self._jobs.naming(tx, actor.tenant_id, IMPORT_KIND, list(named))
            _refuse(named, [piece for piece in named if any(piece in payload for payload in others)])

    async def withdraw(self, actor: Actor, requested: ImportPayload, admitted: ImportPayload) -> None:
        """Remove the rows of a request that starts no job. The uploads that a request has named stay."""
        if requested.rows is not None:
            for piece in admitted.uploads or ():
                await self._received.remove(actor, piece)

    @property
    def _received(self) -> ReceivedPieces:
        if self._opened is None:
            raise UploadsUnavailable
        return self._opened


def _named(payload: ImportPayload) -> dict[str, str]:
    """Return the uploads that a request names, with the JSON Pointer of each."""
    return {
        piece: f"/payload/{name}/{place}"
        for name, pieces in (("uploads", payload.uploads), ("aliases", payload.aliases))
        for place, piece in enumerate(pieces or ())
    }


def _refuse(named: Mapping[str, str], pieces: Collection[str]) -> None:
    if pieces:
        raise UploadUnknown(mistakes=[Mistake("not found", named[piece]) for piece in named if piece in pieces])


def _written(payload: ImportPayload) -> bytes:
    """Return the rows of a payload as lines of JSON. The limit of a body keeps them below that of an upload."""
    lines = [orjson.dumps(row) for row in payload.rows or ()]
    for place, line in enumerate(lines):
        if len(line) > LINE_BYTES_MAX:
            text = f"more than {LINE_BYTES_MAX} bytes"
            raise BodyMalformed(f"(A row has {text}.)", mistakes=[Mistake(text, f"/payload/rows/{place}")])
    return b"\n".join(lines)
