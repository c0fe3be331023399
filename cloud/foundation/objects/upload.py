"""Store a large result in parts, so that a killed process continues behind the last part.

    upload = ResultUpload(objects, ids, clock, tenant_id)       # or with the mark of an earlier process
    await upload.add(data)                                      # then store `upload.mark` with the own position
    stored = await upload.finish(download)
    await upload.discard()

Each part is an object of its own, `uploads/TENANT/ULID.NUMBER-TOKEN`, and at the end they are joined to one object. The
multipart uploads of S3 would save one copy, but their parts can neither be read back nor listed with the objects, and a
local folder has none. Two processes that write the same upload, since the first one's lease has expired, never write
the same name, since the token is random.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from cloud.foundation.clock import Clock
from cloud.foundation.ids import Ids
from cloud.foundation.objects.results import new_result_name
from cloud.foundation.objects.store import Download, ObjectStore, StoredObject

UPLOADS = "uploads"
PART_BYTES = 8 << 20
"""Size from which on a part is stored: a second's work of an export is lost with a killed process, and a part is in
memory twice."""


@dataclass(frozen=True, slots=True)
class UploadMark:
    """The progress of an upload: its name, its parts, and how often it was restarted since parts were lost."""

    name: str
    parts: tuple[StoredObject, ...] = ()
    restarts: int = 0

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    def document(self) -> dict[str, Any]:
        """Return the mark as JSON values."""
        return {
            "name": self.name,
            "parts": [[part.name.removeprefix(self.name), part.size_bytes, part.sha256.hex()] for part in self.parts],
            "restarts": self.restarts,
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> "UploadMark":
        """Return the mark that `document` returned as JSON values."""
        name = str(document["name"])
        parts = (
            StoredObject(f"{name}{end}", int(size_bytes), bytes.fromhex(sha256))
            for end, size_bytes, sha256 in document["parts"]
        )
        return cls(name, tuple(parts), int(document.get("restarts", 0)))  # marks of the release before have none


class ResultUpload:
    """An upload of one result of a tenant. `mark` None: a new one."""

    def __init__(
        self, objects: ObjectStore, ids: Ids, clock: Clock, tenant_id: str, mark: UploadMark | None = None
    ) -> None:
        self._objects = objects
        self._ids = ids
        self._clock = clock
        self._tenant_id = tenant_id
        self.mark = mark or UploadMark(self._new_name())

    async def add(self, data: bytes) -> None:
        """Store the next part. When the call returns, the part is durable, and `mark` has it."""
        name = f"{self.mark.name}.{len(self.mark.parts):05}-{uuid.uuid4().hex[:8]}"
        part = await self._objects.put(name, data)
        self.mark = replace(self.mark, parts=(*self.mark.parts, part))

    async def finish(self, download: Download) -> StoredObject:
        """Join the parts to one object. Raises `ObjectMissing` or `ObjectDamaged` when a part cannot be read: the
        result must then be made again."""
        name = new_result_name(self._ids, self._tenant_id, self._clock.now_us())
        return await self._objects.join(name, self.mark.parts, download)

    async def discard(self) -> None:
        """Remove the parts, with those that were stored after the mark."""
        folder, own = self.mark.name.rpartition("/")[0], f"{self.mark.name}."
        async for page in self._objects.pages(folder, after=own):
            mine = [one.name for one in page if one.name.startswith(own)]
            await remove_all(self._objects, mine)
            if len(mine) < len(page):
                return

    async def restart(self) -> None:
        """Remove the parts, and begin again under a new name, since the sweep looks at the time in the name."""
        await self.discard()
        self.mark = UploadMark(self._new_name(), restarts=self.mark.restarts + 1)

    def _new_name(self) -> str:
        return f"{UPLOADS}/{self._tenant_id}/{self._ids.new('')}"


async def remove_all(objects: ObjectStore, names: Iterable[str]) -> None:
    for name in names:
        await objects.remove(name)
