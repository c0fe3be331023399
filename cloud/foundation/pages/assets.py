"""Static files of the pages. Their URL contains a digest of their content, so browsers may cache them forever."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file. `name` is the last part of its URL path."""

    name: str
    octets: bytes
    media_type: str

    @property
    def path(self) -> str:
        return f"/assets/{self.name}"


def _asset(file: str, media_type: str) -> Asset:
    octets = (_STATIC / file).read_bytes()
    stem, _, suffix = file.partition(".")
    return Asset(f"{stem}.{hashlib.sha256(octets).hexdigest()[:16]}.{suffix}", octets, media_type)


STYLESHEET = _asset("argus.css", "text/css; charset=utf-8")
MARK = _asset("mark.svg", "image/svg+xml")

COPY_SCRIPT = _asset("copy.js", "text/javascript; charset=utf-8")

ASSETS = (STYLESHEET, MARK, COPY_SCRIPT)
