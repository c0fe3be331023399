"""Read one page of a list, and make the cursor of the next page (contract matrix A-082, A-083).

One row more than the page needs is read: its presence shows that there is a next page. The position of a row is its
sort key: an id, a number, or a time and an id.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from cloud.foundation.http.cursors import Cursors
from cloud.foundation.http.errors import InvalidCursor
from cloud.foundation.http.host import Bases
from cloud.foundation.http.request import Request
from cloud.foundation.viewer import Viewer

Row = TypeVar("Row")

ReadRows = Callable[[Any, int], Awaitable[Sequence[Row]]]
"""Returns the rows after a position (None: from the start), at most the given number."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of one page. `next_cursor` is None on the last page."""

    rows: Sequence[Row]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A paged list as one caller sees it. Its cursors are accepted only for this viewer, route and filters."""

    cursors: Cursors
    viewer: Viewer
    route: str
    """The `name` of the route."""
    filters: Mapping[str, Any] = field(default_factory=dict)
    position: tuple[type, ...] = (str,)
    """The types of a position's parts. A position with one part is passed as its value, a longer one as a tuple."""

    async def read_page(
        self, cursor: str | None, limit: int, read: ReadRows[Row], position_of: Callable[[Row], Any]
    ) -> Page[Row]:
        """Return the page after `cursor`, or the first page if it is None. Raises `InvalidCursor`."""
        found = await read(None if cursor is None else self._open(cursor), limit + 1)
        rows = found[:limit]
        return Page(rows, self._seal(position_of(rows[-1])) if len(found) > limit else None)

    def _open(self, cursor: str) -> Any:
        parts = self.cursors.open(cursor, self.viewer, self.route, self.filters)
        if tuple(type(part) for part in parts) != self.position:
            raise InvalidCursor
        return parts[0] if len(parts) == 1 else tuple(parts)

    def _seal(self, position: Any) -> str:
        parts = position if isinstance(position, tuple) else (position,)
        return self.cursors.seal(parts, self.viewer, self.route, self.filters)

    def read_position(self, cursor: str | None) -> Any:
        """Return the position in a cursor, None for no cursor. Raises `InvalidCursor`."""
        return None if cursor is None else self._open(cursor)

    def cursor_after(self, position: Any) -> str:
        """Return the cursor of the page that begins after a position."""
        return self._seal(position)


def filters_of(request: Request) -> dict[str, Any]:
    """Return the filters in a request's query: its parameters without the limit and the cursor."""
    found: dict[str, Any] = request.query.model_dump(mode="json", exclude_none=True, exclude={"limit", "cursor"})
    return found


def link_to_next(bases: Bases, request: Request, next_cursor: str | None) -> dict[str, str]:
    """Return the header `Link` of the next page; empty when `next_cursor` is None, on the last page."""
    if next_cursor is None:
        return {}
    parameters = {**filters_of(request), "limit": request.query.limit, "cursor": next_cursor}
    joined = {name: ",".join(value) if isinstance(value, list) else value for name, value in parameters.items()}
    path = request.route.path
    for name, value in request.path.items():
        path = path.replace(f"{{{name}}}", value)
    return {"Link": f'<{bases[request.host]}{path}?{urlencode(joined)}>; rel="next"'}
