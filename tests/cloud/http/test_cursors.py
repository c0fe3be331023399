"""A cursor is accepted only for the list and the caller that it was issued to (contract S-063, S-139, A-083)."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.foundation.http import Cursors, InvalidCursor, Listing
from cloud.foundation.viewer import SecrecyLevel, Viewer

CURSORS = Cursors(bytes(range(32)))
NORTH = Viewer("tnt_north", "org_north")
ROUTE, FILTERS, POSITION = "GET /things", {"kind": "a", "vehicle": None}, [1_774_353_600_000_000, "dev_1"]


@pytest.mark.contract("A-083")
def test_cursor_contains_its_position_only_in_encrypted_form() -> None:
    cursor = CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS)
    assert CURSORS.open(cursor, NORTH, ROUTE, {"kind": "a"}) == POSITION
    assert b"dev_1" not in base64.urlsafe_b64decode(cursor + "==")
    assert cursor != CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS)


def test_repeatable_cursor_of_an_equal_position_is_equal_and_that_of_another_is_not() -> None:
    cursor = CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS, repeatable=True)
    assert cursor == CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS, repeatable=True)
    assert CURSORS.open(cursor, NORTH, ROUTE, FILTERS) == POSITION
    others = [
        CURSORS.seal([*POSITION, 1], NORTH, ROUTE, FILTERS, repeatable=True),
        CURSORS.seal(POSITION, NORTH, ROUTE, {}, repeatable=True),
    ]
    # The nonces differ too, so that no nonce encrypts two positions.
    assert len({one[:16] for one in (cursor, *others)}) == 3


@pytest.mark.contract("S-063", "S-139")
@pytest.mark.parametrize(
    ("viewer", "route", "filters"),
    [
        (Viewer("tnt_south", "org_north"), ROUTE, FILTERS),
        (Viewer("tnt_north", "org_south"), ROUTE, FILTERS),
        (Viewer("tnt_north", "org_north", SecrecyLevel.SECRET), ROUTE, FILTERS),
        (NORTH, "GET /others", FILTERS),
        (NORTH, ROUTE, {"kind": "b"}),
        (NORTH, ROUTE, {}),
    ],
)
def test_cursor_is_refused_for_another_caller_or_another_route_or_another_filter(
    viewer: Viewer, route: str, filters: dict[str, str]
) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.open(CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS), viewer, route, filters)


@pytest.mark.contract("S-139")
@given(st.one_of(st.text(max_size=64), st.binary(max_size=64).map(lambda b: base64.urlsafe_b64encode(b).decode())))
def test_cursor_that_was_not_issued_by_the_server_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.open(cursor, NORTH, ROUTE, FILTERS)


@pytest.mark.contract("S-139")
def test_cursor_that_is_changed_truncated_or_encrypted_with_another_key_is_refused() -> None:
    cursor = CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS)
    data = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for bit in range(0, len(data) * 8, 5):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidCursor):
            CURSORS.open(base64.urlsafe_b64encode(changed).decode().rstrip("="), NORTH, ROUTE, FILTERS)
    for other, text in ((CURSORS, cursor[:-4]), (CURSORS, "x" * 2000), (Cursors(bytes(32)), cursor)):
        with pytest.raises(InvalidCursor):
            other.open(text, NORTH, ROUTE, FILTERS)


def listing(**changed: Any) -> Listing:
    return Listing(**{"cursors": CURSORS, "viewer": NORTH, "route": ROUTE, **changed})


async def read_pages(of: Listing, rows: Sequence[Any], limit: int, after: Callable[[Any, Any], bool]) -> list[Any]:
    """Return all pages of a listing of these rows, from the first to the last.

    `after` states whether a row follows a position.
    """

    async def read(position: Any, count: int) -> Sequence[Any]:
        requested.append(count)
        return [row for row in rows if position is None or after(row, position)][:count]

    pages, requested, cursor = [], list[int](), None
    while not pages or cursor is not None:
        page = await of.read_page(cursor, limit, read, lambda row: row)
        pages.append(list(page.rows))
        cursor = page.next_cursor
    assert set(requested) == {limit + 1}, "one row more shows that there is a next page"
    return pages


@pytest.mark.contract("A-083")
async def test_paged_listing_returns_each_row_once_and_its_last_page_has_no_cursor() -> None:
    assert await read_pages(listing(), ["a", "b", "c", "d"], 2, str.__gt__) == [["a", "b"], ["c", "d"]]
    assert await read_pages(listing(), ["a", "b", "c"], 2, str.__gt__) == [["a", "b"], ["c"]]
    assert await read_pages(listing(), [], 2, str.__gt__) == [[]]


async def test_paged_listing_sorted_by_time_and_id_continues_after_the_time_and_id_in_its_cursor() -> None:
    by_time = listing(position=(int, int))
    rows = [(7, 1), (7, 2), (8, 1)]
    assert await read_pages(by_time, rows, 1, tuple.__gt__) == [[(7, 1)], [(7, 2)], [(8, 1)]]


@pytest.mark.contract("S-139")
async def test_paged_listing_refuses_a_cursor_with_position_values_of_another_type() -> None:
    async def unread(position: Any, count: int) -> Sequence[Any]:
        raise AssertionError("a position of another listing was read")

    cursor = CURSORS.seal(["dev_1"], NORTH, ROUTE, {})
    for types in ((int,), (str, str), (int, int)):
        with pytest.raises(InvalidCursor):
            await listing(position=types).read_page(cursor, 2, unread, lambda row: row)
