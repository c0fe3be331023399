"""Check a request for an import before its job is enqueued, and keep rows out of the payload.

The payload of a job stays with its record. Rows in a request are therefore stored as an upload, like a file that the
client has sent before, and the stored payload names the upload. So there is one way to read an import, and names in
profiles are removed with the upload.
"""

import orjson

from cloud.foundation.errors import Mistake
from cloud.foundation.http import BodyMalformed, OrganizationRequired
from cloud.foundation.objects import ReceivedPieces, object_store_of
from cloud.foundation.process import Process
from cloud.foundation.viewer import Actor
from cloud.work.imports.errors import UploadsUnavailable, UploadUnknown, WholeTenantRequired
from cloud.work.imports.file import LINE_BYTES_MAX
from cloud.work.imports.schemas import ImportData, ImportPayload
from cloud.work.jobs import Admit


def received_of(process: Process) -> ReceivedPieces | None:
    """Return the store of uploads; None for an installation without an object store. Call it as
    `process.shared(received_of)`."""
    objects = object_store_of(process.settings)
    return None if objects is None else ReceivedPieces(objects, process.ids, process.clock)


def admission_of(process: Process) -> Admit[ImportPayload]:
    """Return the check of requests of a process."""
    received = process.shared(received_of)

    async def admit(actor: Actor, payload: ImportPayload) -> ImportPayload:
        if received is None:
            raise UploadsUnavailable
        if payload.data is ImportData.SANCTIONS:
            if actor.organization_id is not None:
                raise WholeTenantRequired
        elif actor.organization_id is None:
            raise OrganizationRequired
        if payload.rows is not None:
            upload_id = await received.keep(actor, _written(payload))
            return payload.model_copy(update={"rows": None, "uploads": (upload_id,)})
        await _check_uploads(received, actor, payload)
        return payload

    return admit


async def _check_uploads(received: ReceivedPieces, actor: Actor, payload: ImportPayload) -> None:
    named = [
        (f"/payload/{name}/{place}", piece)
        for name, pieces in (("uploads", payload.uploads), ("aliases", payload.aliases))
        for place, piece in enumerate(pieces or ())
    ]
    missing = await received.missing(actor, [piece for _, piece in named])
    if missing:
        raise UploadUnknown(mistakes=[Mistake("not found", pointer) for pointer, piece in named if piece in missing])


def _written(payload: ImportPayload) -> bytes:
    """Return the rows of a payload as lines of JSON. The limit of a body keeps them below that of an upload."""
    lines = [orjson.dumps(row) for row in payload.rows or ()]
    for place, line in enumerate(lines):
        if len(line) > LINE_BYTES_MAX:
            text = f"more than {LINE_BYTES_MAX} bytes"
            raise BodyMalformed(f"(A row has {text}.)", mistakes=[Mistake(text, f"/payload/rows/{place}")])
    return b"\n".join(lines)
