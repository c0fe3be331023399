"""Gateways that send much leave room for staged batches to those that send little."""

from cloud.vehicles.ingest.staging_room import LARGE_SHARES, SHARES, SMALL_PARTS, Share, StagingRoom

SHARE = Share(bytes_max=1600, rows_max=1600, batches_max=1600)
SMALL_ROWS = SHARE.rows_max // SMALL_PARTS


def test_gateways_with_large_batches_leave_room_to_gateways_with_small_ones() -> None:
    room = StagingRoom()
    for number in range(SHARES):
        name = "ten_test", f"gw_large_{number}"
        if room.has_room(name, SHARE, 1, SHARE.rows_max):
            room.add(name, 1, SHARE.rows_max)
    assert room.rows == LARGE_SHARES * SHARE.rows_max
    assert room.has_room(("ten_test", "gw_small"), SHARE, 1, SMALL_ROWS)
    assert not room.has_room(("ten_test", "gw_small"), SHARE, 1, SMALL_ROWS + 1)


def test_gateways_with_small_batches_fill_the_room_together() -> None:
    room = StagingRoom()
    count = 0
    while room.has_room(("ten_test", f"gw_{count}"), SHARE, 1, SMALL_ROWS):
        room.add(("ten_test", f"gw_{count}"), 1, SMALL_ROWS)
        count += 1
    assert count == SHARES * SMALL_PARTS
