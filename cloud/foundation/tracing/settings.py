"""Settings of traces."""

import os
import re
import stat
from collections.abc import Mapping

from pydantic import Field

from cloud.foundation.settings import FilePath, Section, SettingsUnusable

HEADERS_FILE_BYTES_MAX = 16_384
HEADERS_MAX = 16
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""Name of a header (RFC 9110 §5.6.2)."""
_SET_BY_EXPORT = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding", "host"})


class TracingSection(Section):
    """`[tracing]`: the export of spans. Without this section spans are stored, and not exported."""

    otlp_endpoint: str
    """URL of an OTLP receiver (OTLP/HTTP with protobuf), with its path, for instance `http://127.0.0.1:4318/v1/traces`.
    It gets the spans of all tenants."""
    otlp_headers_file: FilePath | None = None
    """File of mode 0600 with the headers that the receiver needs, such as its credentials: each line is `Name: value`.
    None: no such headers."""
    export_ratio: float = Field(default=1.0, gt=0, le=1)
    """The part of the traces that is exported, chosen by trace id: 0.1 is a tenth. All are stored, whatever it is."""

    def otlp_headers(self) -> Mapping[str, str]:
        """Return the headers of the file; none without a file. Raises `SettingsUnusable`, which names the file and the
        line, and never quotes it."""
        path = self.otlp_headers_file
        if path is None:
            return {}
        try:
            with path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise SettingsUnusable(f"({path} may be read by others; run chmod 600 on it.)")
                content = file.read(HEADERS_FILE_BYTES_MAX + 1)
        except OSError as error:
            raise SettingsUnusable(f"({path} cannot be read: {error.strerror}.)") from None
        if len(content) > HEADERS_FILE_BYTES_MAX:
            raise SettingsUnusable(f"({path} is too large to be a file of headers.)")
        headers: dict[str, str] = {}
        for number, line in enumerate(content.decode("latin-1").splitlines(), start=1):
            if not line.strip():
                continue
            name, _, value = (part.strip() for part in line.partition(":"))
            is_header = _NAME.fullmatch(name) and value and value.isascii() and value.isprintable()
            if not is_header or name.lower() in _SET_BY_EXPORT or len(headers) == HEADERS_MAX:
                sentence = f'write "Name: value", at most {HEADERS_MAX} headers, none that the export sets itself'
                raise SettingsUnusable(f"({path}, line {number}: {sentence}.)")
            headers[name] = value
        return headers
