"""The limit of bytes in flight adapts to the delay of acknowledgements, so that urgent messages are not delayed."""

from gateway.sync.pacing import Pacing, PacingSettings

SETTINGS = PacingSettings(first_bytes=90_000, least_bytes=30_000, most_bytes=200_000, aimed_delay_s=1.0)


def acknowledge(pacing: Pacing, octets: int, *, sent_at_s: float, now_s: float, full: bool = True) -> None:
    pacing.acknowledge(octets, sent_at_s=sent_at_s, now_s=now_s, under_way_bytes=pacing.window_bytes if full else 100)


def test_pacing_window_grows_with_bytes_acknowledged_in_time_up_to_its_limit():
    pacing = Pacing(SETTINGS)
    acknowledge(pacing, 10_000, sent_at_s=0.0, now_s=0.2)
    assert pacing.window_bytes == 100_000
    for _ in range(50):
        acknowledge(pacing, 10_000, sent_at_s=0.0, now_s=0.2)
    assert pacing.window_bytes == 200_000


def test_pacing_window_does_not_grow_while_it_is_not_full():
    pacing = Pacing(SETTINGS)
    acknowledge(pacing, 10_000, sent_at_s=0.0, now_s=0.2, full=False)
    assert pacing.window_bytes == 90_000


def test_pacing_window_shrinks_only_once_for_late_acks_of_batches_in_flight_at_the_same_time():
    pacing = Pacing(SETTINGS)
    acknowledge(pacing, 10_000, sent_at_s=0.0, now_s=2.0)
    assert pacing.window_bytes == 60_000
    acknowledge(pacing, 10_000, sent_at_s=1.0, now_s=2.5)
    assert pacing.window_bytes == 60_000
    acknowledge(pacing, 10_000, sent_at_s=2.1, now_s=4.0)
    assert pacing.window_bytes == 40_000


def test_pacing_window_never_shrinks_below_the_size_of_one_ordinary_batch():
    pacing = Pacing(SETTINGS)
    for now_s in range(10):
        pacing.shrink(float(now_s))
    assert pacing.window_bytes == 30_000
