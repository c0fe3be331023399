"""The time for which batches are not staged after the object store failed or was slow."""

from cloud.vehicles.ingest.outage import OFF_S, STALL_OFF_S, Outage


class Moved:
    """An outage by a clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.outage = Outage(lambda: self.now_s)

    def lasted_s(self) -> float:
        """Move the clock to the end of the outage, and return how long it lasted."""
        begun_s = self.now_s
        while self.outage.lasts:
            self.now_s += STALL_OFF_S / 2
        return self.now_s - begun_s


def test_outage_lasts_for_half_a_minute_after_a_failed_put() -> None:
    moved = Moved()
    assert moved.lasted_s() == 0
    moved.outage.begin()
    assert moved.lasted_s() == OFF_S


def test_slow_put_ends_staging_for_a_moment_and_each_further_one_for_longer_up_to_half_a_minute() -> None:
    moved = Moved()
    lasted_s = []
    for _ in range(7):
        moved.outage.note_stall()
        lasted_s.append(moved.lasted_s())
    assert lasted_s == [STALL_OFF_S * factor for factor in (1, 2, 4, 8, 16)] + [OFF_S, OFF_S]


def test_slow_put_after_one_in_time_ends_staging_for_a_moment() -> None:
    moved = Moved()
    for _ in range(3):
        moved.outage.note_stall()
        moved.lasted_s()
    moved.outage.note_put()
    moved.outage.note_stall()
    assert moved.lasted_s() == STALL_OFF_S


def test_slow_put_does_not_shorten_an_outage() -> None:
    moved = Moved()
    moved.outage.begin()
    moved.outage.note_stall()
    assert moved.lasted_s() == OFF_S
