"""The payload of an import, its resumable state, and the response to an upload."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.foundation.objects import PIECE_ID, size_of_piece

IMPORT_KIND = "import.bulk"
UPLOADS_MAX = 64
"""Pieces of one file, which so has at most 512 MiB. The largest sanctions list has about 100 MB."""
ROWS_INLINE_MAX = 10_000
"""Rows in a request. The limit of its values (20 000) is reached earlier, unless rows have two fields."""
ERRORS_LISTED_MAX = 100
"""Errors that a result lists. With them the state has about 10 kB, which are written again with each of the 10 000
chunks of the longest file."""
RANGES_MAX = 1_000
"""Ranges of lines without an import that a result lists: at most 16 kB of the state, and of a file of wrong rows one
range. The last one then reaches to the last such line."""

UploadId = Annotated[str, Field(pattern=PIECE_ID)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]


class ImportData(StrEnum):
    """The data to import."""

    DEVICES = "devices"
    PROFILES = "profiles"
    ENCOUNTERS = "encounters"
    SANCTIONS = "sanctions"


class ImportFormat(StrEnum):
    """The format of a file: of rows, or of a sanctions list."""

    NDJSON = "ndjson"
    CSV = "csv"
    OFAC_XML = "ofac-xml"
    OFAC_CSV = "ofac-csv"
    UN_XML = "un-xml"
    EU_XML = "eu-xml"
    WALLET_LABELS_CSV = "wallet-labels-csv"

    @property
    def is_of_rows(self) -> bool:
        return self in (ImportFormat.NDJSON, ImportFormat.CSV)


class ImportPayload(BaseModel):
    """The rows to import, or the uploads that are the file, in its order. `aliases` is the second file of the format
    `ofac-csv`, and `list_name` the name of the sanctions list of which the file is a new edition."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Annotated[ImportData, Field(description="The data to import.")]
    rows: Annotated[
        tuple[dict[str, Any], ...] | None,
        Field(min_length=1, max_length=ROWS_INLINE_MAX, repr=False, description="The rows, instead of uploads."),
    ] = None
    uploads: Annotated[
        tuple[UploadId, ...] | None, Field(min_length=1, max_length=UPLOADS_MAX, description="The file, in pieces.")
    ] = None
    size_bytes: Annotated[
        int | None, Field(ge=1, description="Size of the file. A job whose uploads have another size is refused.")
    ] = None
    format: Annotated[ImportFormat, Field(description="The format of the file.")] = ImportFormat.NDJSON
    aliases: Annotated[
        tuple[UploadId, ...] | None, Field(min_length=1, max_length=UPLOADS_MAX, description="ALT.CSV of `ofac-csv`.")
    ] = None
    list_name: Annotated[Name | None, Field(description="Name of the sanctions list.")] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.rows is None) == (self.uploads is None):
            raise ValueError("give either rows or uploads")
        is_list = self.data is ImportData.SANCTIONS
        if is_list and self.rows is not None:
            raise ValueError("a sanctions list is a file: send it to /v1/jobs/uploads, and give uploads and format")
        if is_list == self.format.is_of_rows:
            known = [one.value for one in ImportFormat if one.is_of_rows is not is_list]
            raise ValueError(f"the format of {self.data.value} is one of {', '.join(known)}")
        if self.rows is not None and (self.format is not ImportFormat.NDJSON or self.size_bytes is not None):
            raise ValueError("format and size_bytes belong to uploads")
        sent_bytes = sum(size_of_piece(piece) for piece in self.uploads or ())
        if self.size_bytes not in (None, sent_bytes):
            raise ValueError(f"the uploads have {sent_bytes} bytes, which differs from size_bytes")
        if self.aliases is not None and self.format is not ImportFormat.OFAC_CSV:
            raise ValueError("aliases belongs to the format ofac-csv")
        if self.list_name is not None and not is_list:
            raise ValueError("list_name belongs to sanctions")
        return self


class RowError(NamedTuple):
    """An error of a row: its line from 1, the JSON Pointer of the field (None: the whole row), a code and a sentence.
    None of them has any content of the row."""

    line: int
    field: str | None
    code: str
    message: str


class StagedFacts(BaseModel):
    """The facts of a sanctions list whose rows are stored and not searched yet."""

    list_id: int
    name: str
    started_at_us: int
    published_on: str | None
    sha256: str
    records: int
    entries: int
    names: int
    wallets: int
    problem_count: int


class ImportState(BaseModel):
    """The state of an import behind a chunk. `examined` pieces were checked: they have `lines` lines, of which the last
    one has `open_bytes` bytes so far. `offset` bytes and `line` lines of the file were imported; `columns` are those of
    the header of CSV. `ranges` are the first and last lines of the chunks that were not imported."""

    examined: int = 0
    lines: int = 0
    open_bytes: int = 0
    offset: int = 0
    line: int = 0
    columns: tuple[str, ...] | None = None
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    left_out: int = 0
    error_count: int = 0
    errors: list[RowError] = Field(default_factory=list)
    ranges: list[tuple[int, int]] = Field(default_factory=list)
    staged: StagedFacts | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The processed rows, by what became of them."""
        names = ("created", "updated", "unchanged", "refused", "left_out")
        return {name: getattr(self, name) for name in names}

    def with_errors(self, found: Sequence[RowError]) -> dict[str, Any]:
        """Return the fields that change with further errors."""
        return {
            "error_count": self.error_count + len(found),
            "errors": [*self.errors, *found[: ERRORS_LISTED_MAX - len(self.errors)]],
        }

    def with_range(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the ranges with a further one. It extends the last one if that ends before it, or if there are too
        many."""
        if self.ranges and (self.ranges[-1][1] == first - 1 or len(self.ranges) >= RANGES_MAX):
            return [*self.ranges[:-1], (self.ranges[-1][0], last)]
        return [*self.ranges, (first, last)]


class UploadKept(BaseModel):
    """A stored upload."""

    model_config = ConfigDict(frozen=True)

    upload_id: Annotated[str, Field(description="The upload, for `uploads` of the payload.")]
    size_bytes: Annotated[int, Field(ge=1, description="Received bytes.")]
    sha256: Annotated[str, Field(description="SHA-256 of the received bytes, in hex.")]
    expires_at: Annotated[str, Field(description="A job that is started later may not name the upload.")]
