"""The range of bytes that a request selects (RFC 9110 §14): one range, or the whole.

A request for several ranges at once gets the whole, as RFC 9110 permits: no download program needs them, and many small
ranges would cost more than the whole.
"""

import re

from cloud.foundation.objects.errors import RangeNotSatisfiable

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def range_of(header: str | None, if_range: str | None, etag: str, size_bytes: int) -> tuple[int, int] | None:
    """Return the first byte and the number of bytes that the headers Range and If-Range select from `size_bytes`; None:
    the whole. Raises `RangeNotSatisfiable` for a range that begins behind the end."""
    if header is None or (if_range is not None and if_range.strip() != etag):
        return None
    found = _RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:  # the last bytes
        count = min(int(found[2]), size_bytes)
        first = size_bytes - count
    else:
        first = int(found[1])
        last = min(int(found[2]), size_bytes - 1) if found[2] else size_bytes - 1
        if found[2] and int(found[2]) < first:
            return None
        count = last - first + 1
    if count <= 0:
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size_bytes}"})
    return first, count
