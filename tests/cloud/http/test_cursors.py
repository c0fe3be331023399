"""A cursor opens where it was given and nowhere else (S-063, S-139, A-083)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.foundation.http import Cursors, InvalidCursor
from cloud.foundation.viewer import SecrecyLevel, Viewer

CURSORS = Cursors(bytes(range(32)))
NORTH = Viewer("tnt_north", "org_north")
ROUTE, FILTERS, POSITION = "GET /things", {"kind": "a", "vehicle": None}, [1_774_353_600_000_000, "dev_1"]


@pytest.mark.contract("A-083")
def test_a_cursor_gives_the_position_back_and_tells_nothing_of_it() -> None:
    cursor = CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS)
    assert CURSORS.open(cursor, NORTH, ROUTE, {"kind": "a"}) == POSITION
    assert b"dev_1" not in base64.urlsafe_b64decode(cursor + "==")
    assert cursor != CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS)


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
def test_a_cursor_of_somebody_else_or_of_another_listing_does_not_open(
    viewer: Viewer, route: str, filters: dict[str, str]
) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.open(CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS), viewer, route, filters)


@pytest.mark.contract("S-139")
@given(st.one_of(st.text(max_size=64), st.binary(max_size=64).map(lambda b: base64.urlsafe_b64encode(b).decode())))
def test_nothing_made_up_opens(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.open(cursor, NORTH, ROUTE, FILTERS)


@pytest.mark.contract("S-139")
def test_no_flipped_bit_no_cut_and_no_other_key_opens() -> None:
    cursor = CURSORS.seal(POSITION, NORTH, ROUTE, FILTERS)
    octets = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for bit in range(0, len(octets) * 8, 5):
        changed = bytearray(octets)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidCursor):
            CURSORS.open(base64.urlsafe_b64encode(changed).decode().rstrip("="), NORTH, ROUTE, FILTERS)
    for other, text in ((CURSORS, cursor[:-4]), (CURSORS, "x" * 2000), (Cursors(bytes(32)), cursor)):
        with pytest.raises(InvalidCursor):
            other.open(text, NORTH, ROUTE, FILTERS)
